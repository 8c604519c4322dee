"""Catalogues: which files are in which archive."""

import asyncio
import base64
import json
import zlib
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from syncd.api.cyborg.collection import Collection, Looking, Resource
from syncd.api.cyborg.handler import OBJECT
from syncd.api.cyborg.metadata import Described
from syncd.api.cyborg.refusals import Refused
from syncd.api.cyborg.shapes import address, moment, picked
from syncd.api.operation import Word, on
from syncd.core.path import from_bytes
from syncd.errors import BadRequest, TooLarge
from syncd.store import values
from syncd.store.cyborg import catalog
from syncd.store.cyborg.finding import Beside
from syncd.store.cyborg.records import Item
from syncd.store.values import LARGEST

MOST_BYTES = 64 << 20
"""Bytes of what an agent sends, unpacked."""

MOST_FILES = 100_000
"""Files that an agent sends at once; those there are send 20,000."""

AT_ONCE = 2000
"""Files that are kept in one transaction: all else that is kept waits for it."""

_KEYS = ("archive_name", "job", "event", "catalog")


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One file, as agents send it."""

    archive_name: str
    path: str
    job_id: int | str | None = None
    mode: str = ""
    owner: str = ""
    group: str = ""
    type: str = ""
    size: Annotated[int, Meta(ge=0, le=LARGEST)] = 0
    healthy: bool = True
    mtime: str = ""

    def row(self) -> dict[str, Any]:
        """Return it as it is kept; raise ValueError."""
        job = None if self.job_id is None else _number(self.job_id)
        texts = ("archive_name", "path", "mode", "owner", "group")
        return {
            **{name: _text(getattr(self, name)) for name in texts},
            **picked(self, "size", "healthy"),
            "kind": _text(self.type),
            "job_id": job,
            "mtime": _moment(self.mtime),
        }


def _number(said: int | str) -> int:
    """Return a number as it can be kept; raise ValueError."""
    number = int(said)
    if abs(number) > LARGEST:
        raise ValueError("job_id is too large")
    return number


def _text(said: str) -> str:
    """Return a text as it can be kept; raise ValueError.

    Borg stands surrogates for bytes that are not UTF-8, we characters that are.
    """
    return said if said.isascii() else from_bytes(said.encode(errors="surrogateescape"))


def _moment(text: str) -> float:
    """Return a moment as agents write it; without a zone it is UTC.

    Raise ValueError, or OverflowError for one beyond the calendar.
    """
    if not text:
        return 0.0
    found = datetime.fromisoformat(text)
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.astimezone(UTC).timestamp()


def unpacked(packed: Any) -> list[dict[str, Any]]:
    """Return the files that an agent sent; raise BadRequest."""
    try:
        raw = base64.b64decode(packed, validate=True)
        unpacking = zlib.decompressobj(wbits=31)
        text = unpacking.decompress(raw, MOST_BYTES)
        if not unpacking.eof:
            raise BadRequest(
                f"the catalog has more than {MOST_BYTES} bytes, or ends early"
            )
        # Not all that Borg writes is JSON to others: half a character may be in it.
        found = msgspec.convert(json.loads(text), list[Sent])
        rows = [one.row() for one in found[:MOST_FILES]]
    except (zlib.error, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadRequest(f"the catalog cannot be read: {error}") from None
    if len(found) > MOST_FILES:
        raise TooLarge(f"the catalog has more than {MOST_FILES} files; send parts")
    return rows


class _Item(Resource):
    model = "catalogs"

    def shape(self, found: Item, beside: Beside) -> dict[str, Any]:
        """Return a file as answers show it."""
        del beside
        return {
            "id": found.id,
            "url": address(self.model, found.id),
            **picked(found, "archive_name", "path"),
            "job": found.job_id,
            "mode": found.mode,
            "mtime": moment(found.mtime),
            **picked(found, "owner", "group", "size", "healthy"),
        }


class Catalogs(Collection, _Item):
    """All files in all archives."""

    @on(
        "POST",
        body={"type": "object"},
        status=(HTTPStatus.CREATED,),
        content=OBJECT,
    )
    async def take(self) -> None:
        """Take what an agent found in an archive."""
        said = self.object()
        if not any(key in said for key in _KEYS):
            raise Refused({}, HTTPStatus.BAD_REQUEST)
        if said.get("catalog"):
            items = await asyncio.to_thread(unpacked, said["catalog"])
            for start in range(0, len(items), AT_ONCE):
                await self.records.run(catalog.add, items[start : start + AT_ONCE])
        self.say({}, HTTPStatus.CREATED)


class OneItem(Looking, _Item):
    """One file in an archive."""


class Browsing(Described):
    """An archive, looked through folder by folder."""

    @on(
        "GET",
        query=[
            Word("archive_name", "Name of the archive."),
            Word("path__regexp", "What the whole path must be like."),
        ],
        content=OBJECT,
    )
    async def browse(self) -> None:
        """Tell how many files an archive has, or those of a folder in it."""
        given = dict(self.said)
        archive = given.get("archive_name", "")
        pattern = given.get("path__regexp")
        if pattern is None:
            count = await self.records.read(catalog.count, archive)
            self.say({"count": count, "results": []})
            return
        if catalog.folder_in(pattern) is None:
            values.pattern(pattern)
        found = await self.records.search(catalog.below, archive, pattern)
        await self.say_made(
            lambda: {"count": len(found), "results": [_shown(one) for one in found]}
        )


def _shown(found: Item) -> dict[str, Any]:
    return {
        **picked(found, "archive_name", "path"),
        "type": found.kind,
        **picked(found, "size", "healthy"),
        "mtime": moment(found.mtime),
        **picked(found, "owner", "group", "mode"),
    }


ROUTES = [
    ("/catalogs", Catalogs),
    ("/catalogs/{number}", OneItem),
    ("/escatalogs", Browsing),
]
