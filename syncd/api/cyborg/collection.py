"""Lists and details of records that people make: five methods, the same for all."""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from syncd.api.cyborg import fields
from syncd.api.cyborg.fields import Fields, Reference, References
from syncd.api.cyborg.handler import OBJECT, number
from syncd.api.cyborg.metadata import Described
from syncd.api.cyborg.refusals import Invalid, forbidden
from syncd.api.cyborg.shapes import address, concealed, moment
from syncd.api.operation import Word, on
from syncd.store.cyborg.finding import Beside, Found
from syncd.store.cyborg.models import MODELS
from syncd.store.filters import Kind
from syncd.store.sealing import MARK

QUERY = (
    Word("page", "Which page, from 1 on, or ``last``."),
    Word("page_size", "How many there are on a page; 100 if it is no number."),
    Word("order_by", "Names of fields; a minus before one turns its order round."),
    Word("search", "Words that names must have."),
    Word("fields", "Names of the only fields that are wanted."),
)
SECRETS = Word("secrets", "``show`` has the secrets in the answer; it is audited.")
UNKNOWN = f"{MARK} stands for a secret that is not known; write it out."
BODIES = {"POST": True, "PUT": True, "PATCH": False}
"""Methods with a body, and whether all that is required must be in it."""


class Resource(Described):
    """What lists and details of one kind of records share."""

    model: ClassVar[str]
    fields: ClassVar[Fields] = {}
    """What bodies may say."""
    secrets: ClassVar[Sequence[str]] = ()
    """Fields that are kept sealed and shown as a mask."""

    def __init_subclass__(cls) -> None:
        """Describe the bodies of this resource."""
        super().__init_subclass__()
        cls.operations = {
            method: dataclasses.replace(
                one, body=fields.schema(cls.fields, whole=BODIES[method])
            )
            if method in BODIES and cls.fields
            else one
            for method, one in cls.operations.items()
        }

    def shape(self, found: Any, beside: Beside) -> dict[str, Any]:
        """Return a record as answers show it."""
        raise NotImplementedError

    async def check(
        self, said: dict[str, Any], before: Any | None, beside: Beside | None
    ) -> None:
        """Raise Invalid for what does not go together; may mend what is said."""

    async def save(self, said: dict[str, Any], id_: int | None) -> int:
        """Keep a new record, or what is said anew of one; return its number."""
        if id_ is None:
            return await self.records.add(self.model, said, self.who)
        await self.records.change(self.model, id_, said, self.who)
        return id_

    async def show(self, id_: int, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Answer a record as it is now."""
        found, beside = await self.records.one(self.model, id_)
        await self.say_made(lambda: self.shape(found, beside), status)

    async def checked(
        self, *, whole: bool, before: Any | None = None, beside: Beside | None = None
    ) -> dict[str, Any]:
        """Return what the body says, ready to be kept; raise Invalid."""
        said = fields.read(self.fields, self.object(), whole=whole, fill=whole)
        await self._check_references(said)
        await self.check(said, before, beside)
        for name in self.secrets:
            if said.get(name) == MARK:
                if before is None:
                    raise Invalid({name: [UNKNOWN]})
                del said[name]
            elif name in said:
                # Whoever is the first loads what it takes, and makes the key.
                seal = self.records.sealer.seal
                said[name] = await asyncio.to_thread(seal, said[name])
        return said

    async def _check_references(self, said: Mapping[str, Any]) -> None:
        wrong = {}
        for name, field in self.fields.items():
            if not isinstance(field, Reference | References) or not said.get(name):
                continue
            numbers = said[name] if isinstance(field, References) else [said[name]]
            missing = await self.records.missing(field.to, numbers)
            if missing:
                wrong[name] = [fields.unknown(missing[0])]
        if wrong:
            raise Invalid(wrong)


class Collection(Resource):
    """A list, where more can be made."""

    def where(self) -> Sequence[Any]:
        """Return conditions that hold besides what is asked for."""
        return ()

    @on("GET", query=QUERY, content=OBJECT, errors=[HTTPStatus.NOT_FOUND])
    async def list_them(self) -> None:
        """List them, the newest first; every other parameter is a filter."""
        found = await self.records.page(self.model, self.said, self.where())
        await self.tell(found)

    async def tell(self, found: Found) -> None:
        """Answer a page that was found."""
        await self.say_page(found.page, lambda: self._results(found))

    def _results(self, found: Found) -> Sequence[Any]:
        if found.page.columns is not None:
            return [self._cut(row) for row in found.page.rows]
        return [self.shape(one, found.beside) for one in found.records]

    def _cut(self, row: Mapping[str, Any]) -> dict[str, Any]:
        kinds = MODELS[self.model].fields
        return {
            name: moment(value)
            if name in kinds and kinds[name].kind is Kind.MOMENT
            else value
            for name, value in row.items()
        }


class Creating(Collection):
    """A list to which whoever may can add."""

    @on("POST", body={}, content=OBJECT, status=(HTTPStatus.CREATED,))
    async def create(self) -> None:
        """Make one."""
        said = await self.checked(whole=True)
        id_ = await self.save(said, None)
        self.set_header("Location", address(self.model, id_))
        await self.show(id_, HTTPStatus.CREATED)


class Looking(Resource):
    """One record."""

    @on("GET", content=OBJECT)
    async def look(self, number_: str) -> None:
        """Show one; parameters are filters, as of the list."""
        id_ = number(number_)
        found, beside = await self.records.one(self.model, id_, self.said)
        await self.say_made(lambda: self.shape(found, beside))


class Changing(Looking):
    """One record, which can be changed."""

    @on("PUT", body={}, content=OBJECT)
    async def put_it(self, number_: str) -> None:
        """Change one; what is not said goes back to its default."""
        await self._change(number(number_), whole=True)

    @on("PATCH", body={}, content=OBJECT)
    async def patch_it(self, number_: str) -> None:
        """Change what is said of one, and leave the rest."""
        await self._change(number(number_), whole=False)

    async def _change(self, id_: int, *, whole: bool) -> None:
        before, beside = await self.records.one(self.model, id_, self.said)
        said = await self.checked(whole=whole, before=before, beside=beside)
        await self.save(said, id_)
        await self.show(id_)


class Detail(Changing):
    """One record, which can be changed and removed."""

    @on("DELETE", status=(HTTPStatus.NO_CONTENT,), errors=[HTTPStatus.CONFLICT])
    async def delete_it(self, number_: str) -> None:
        """Remove one; jobs that ended, and archives, stay."""
        id_ = number(number_)
        await self.records.one(self.model, id_, self.said)
        await self.records.remove(self.model, id_)
        self.say_nothing()


class Telling(Detail):
    """One record with secrets, which are shown to who may know them and asks."""

    @property
    def tells(self) -> bool:
        """Tell whether the secrets themselves were asked for."""
        return self._asked

    _asked = False

    def _read_query(self, operation: Any) -> None:
        super()._read_query(operation)
        self._asked = ("secrets", "show") in self.said
        self.said = [pair for pair in self.said if pair[0] != "secrets"]
        if self._asked and not self.is_superuser:
            raise forbidden()

    def is_audited(self) -> bool:
        """Tell whether it is written down: telling secrets is."""
        return self._asked or super().is_audited()

    def secret(self, sealed: str) -> str:
        """Return a secret as this answer tells it."""
        return self.records.sealer.open(sealed) if self._asked else concealed(sealed)
