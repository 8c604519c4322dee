"""Catalogues: which files are in which archive."""

import asyncio
import base64
import binascii
import zlib
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec

from syncd.api.cyborg.collection import Collection, Looking, Resource
from syncd.api.cyborg.handler import OBJECT
from syncd.api.cyborg.metadata import Described
from syncd.api.cyborg.refusals import Refused
from syncd.api.cyborg.shapes import address, moment, picked
from syncd.api.operation import Word, on
from syncd.errors import BadRequest
from syncd.store import values
from syncd.store.cyborg import catalog
from syncd.store.cyborg.finding import Beside
from syncd.store.cyborg.records import Item

MOST_BYTES = 64 << 20
"""Bytes of what an agent sends, unpacked."""

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
    size: int = 0
    healthy: bool = True
    mtime: str = ""

    def row(self) -> dict[str, Any]:
        """Return it as it is kept; raise ValueError."""
        job = None if self.job_id is None else int(self.job_id)
        return {
            **picked(self, "archive_name", "path", "mode", "owner", "group"),
            **picked(self, "size", "healthy"),
            "kind": self.type,
            "job_id": job,
            "mtime": _moment(self.mtime),
        }


def _moment(text: str) -> float:
    """Return a moment as agents write it; without a zone it is UTC."""
    if not text:
        return 0.0
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


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
        return [one.row() for one in msgspec.json.decode(text, type=list[Sent])]
    except (binascii.Error, zlib.error, ValueError, TypeError) as error:
        raise BadRequest(f"the catalog cannot be read: {error}") from None


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
            await self.records.run(catalog.add, items)
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
