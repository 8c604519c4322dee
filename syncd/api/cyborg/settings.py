"""Settings: how whole machines are backed up, and the key to log in there with."""

import asyncio
from http import HTTPStatus
from typing import Any

from syncd.api.cyborg import fields, keys
from syncd.api.cyborg.collection import Changing, Collection, Resource
from syncd.api.cyborg.fields import Choice, Field, Flag, Mail, Text, Whole, Wrong
from syncd.api.cyborg.handler import ANYTHING
from syncd.api.cyborg.metadata import Described
from syncd.api.cyborg.refusals import Invalid, Refused
from syncd.api.cyborg.shapes import address, concealed, moment, picked
from syncd.api.operation import on
from syncd.core import crontab
from syncd.core.permission import Action
from syncd.store.cyborg import settings
from syncd.store.cyborg.finding import Beside
from syncd.store.cyborg.records import Setting
from syncd.store.sealing import MARK

BY_KEY: dict[str, Field] = {
    "cyborgbackup_mail_from": Mail(label="Value"),
    "cyborgbackup_mail_port": Whole(label="Value", least=1, most=65_535),
    "cyborgbackup_ic_cron": fields.Checked(
        label="Value", required=True, check=crontab.parse
    ),
}
BY_TYPE: dict[str, Field] = {
    "boolean": Flag(label="Value"),
    "integer": Whole(label="Value", most=1_000_000),
}
PLAIN = Text(label="Value", most=65_536)


class _Setting(Resource):
    model = "settings"

    def shape(self, found: Setting, beside: Beside) -> dict[str, Any]:
        """Return a setting as answers show it."""
        del beside
        secret = found.setting_type in settings.SECRET
        return {
            "id": found.id,
            "url": address(self.model, found.id),
            "key": found.key,
            "type": "setting",
            "setting_type": found.setting_type,
            "value": concealed(found.value) if secret else found.value,
            **picked(found, "group", "order"),
            "created": moment(found.created),
            "modified": moment(found.modified),
        }


class Settings(Collection, _Setting):
    """All settings."""


class OneSetting(Changing, _Setting):
    """One setting."""

    async def _change(self, id_: int, *, whole: bool) -> None:
        found, _ = await self.records.one(self.model, id_, self.said)
        said = self.object()
        missing = [name for name in ("key", "value") if name not in said and whole]
        if missing:
            raise Invalid({name: [fields.REQUIRED] for name in missing})
        if "value" in said and said["value"] != MARK:
            await self._put(found, said["value"])
        await self.show(id_)

    async def _put(self, found: Setting, value: Any) -> None:
        records = self.records
        text = _written(found, value)
        await records.run(
            settings.put, found.id, text, sealer=records.sealer, now=records.now()
        )


def _written(found: Setting, value: Any) -> str:
    """Return a value as it is kept; raise Invalid."""
    if value in ("", None) and found.key not in BY_KEY:
        return ""
    field = BY_KEY.get(found.key, BY_TYPE.get(found.setting_type, PLAIN))
    try:
        return str(field.read(value))
    except Wrong as error:
        raise Invalid({"value": [str(error)]}) from None


GENERATE = {
    "type": Choice(label="Type", choices=dict.fromkeys(keys.KINDS, ""), required=True),
    "size": Whole(label="Size", default=0, most=16_384),
}


class GenerateKey(Described):
    """The key to log in to machines with."""

    reads = Action.BACKUP_READ

    @on("GET", content=ANYTHING, status=(HTTPStatus.OK, HTTPStatus.NO_CONTENT))
    async def is_there(self) -> None:
        """Tell whether there is one: 204 if there is none."""
        if (await self.records.settings())["ssh_key"]:
            self.say([])
        else:
            self.say_nothing()

    @on(
        "POST",
        body=fields.schema(GENERATE, whole=True),
        content=ANYTHING,
        status=(HTTPStatus.CREATED,),
        errors=[HTTPStatus.CONFLICT],
    )
    async def generate(self) -> None:
        """Make one; in place of another only if ``force`` is said."""
        document, records = self.object(), self.records
        said = fields.read(GENERATE, document, whole=True, fill=True)
        if (await records.settings())["ssh_key"] and "force" not in document:
            raise Refused({}, HTTPStatus.CONFLICT)
        private = await asyncio.to_thread(keys.made, said["type"], said["size"])
        place = [one.key for one in settings.DEFAULTS].index("ssh_key") + 1
        await records.run(settings.fill, records.now())
        await records.run(
            settings.put, place, private, sealer=records.sealer, now=records.now()
        )
        self.say({"pubkey": keys.public(private)}, HTTPStatus.CREATED)


class PublicKey(Described):
    """The public half of that key."""

    @on("GET", content=ANYTHING)
    async def public(self) -> None:
        """Tell it as a text; an empty list where there is none."""
        private = (await self.records.settings())["ssh_key"]
        self.say(await asyncio.to_thread(keys.public, private) if private else [])


ROUTES = [
    ("/settings", Settings),
    ("/settings/generate_ssh", GenerateKey),
    ("/settings/get_ssh_publickey", PublicKey),
    ("/settings/{number}", OneSetting),
]
