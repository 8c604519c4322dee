"""The past: what is kept of files, and bringing it back."""

import base64
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from msgspec import Struct

from syncd.api.handler import Handler, Route
from syncd.api.operation import PathWord, on
from syncd.api.rooms import HistoryView, UndoneView, VersionView
from syncd.api.sync_v1.files import checked
from syncd.core import path as paths
from syncd.errors import BadRequest, NotFound

REFUSED = [
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.SERVICE_UNAVAILABLE,
]
LATEST = 4_000_000_000
"""Seconds since 1970 that a moment may be, at most."""

PATH = PathWord("path", "A file, or a folder and what lies below it.")

_MOMENT = {"type": "number", "minimum": 0, "maximum": LATEST}
_ENTRY = {"$ref": "#/components/schemas/EntryName"}

UNDO = {
    "type": "object",
    "properties": {
        "entry": {**_ENTRY, "description": "Only what this entry keeps."},
        "version": {"type": "string", "description": "As its history calls it."},
        "at": {**_MOMENT, "description": "As it was at this moment."},
    },
    "not": {"required": ["version", "at"]},
    "additionalProperties": False,
}
UNDO_BELOW = {
    "type": "object",
    "properties": {
        "path": {**PATH.schema(), "description": PATH.about},
        "path_base64": {
            "type": "string",
            "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
            "description": "The same as bytes.",
        },
        "entry": {**_ENTRY, "description": "Only what this entry keeps."},
        "since": {**_MOMENT, "description": "What has changed since this moment."},
        "at": {**_MOMENT, "description": "Another word for since."},
        "dry_run": {"type": "boolean", "default": False},
    },
    "allOf": [
        {"not": {"required": ["since", "at"]}},
        {"not": {"required": ["path", "path_base64"]}},
    ],
    "additionalProperties": False,
}


class Wish(Struct, frozen=True, forbid_unknown_fields=True):
    """What the body of an undo may say."""

    entry: str | None = None
    version: str | None = None
    at: float | None = None


class WideWish(Struct, frozen=True, forbid_unknown_fields=True):
    """What the body of an undo of more than a file may say."""

    path: str | None = None
    path_base64: str | None = None
    entry: str | None = None
    since: float | None = None
    at: float | None = None
    dry_run: bool = False


class BroughtBack(Struct, frozen=True):
    """What was brought back."""

    status: Literal["ok"]
    restored: VersionView


class History(Handler):
    """What is kept of one file."""

    @on("GET", errors=[HTTPStatus.SERVICE_UNAVAILABLE])
    async def history(self, fid: str) -> HistoryView:
        """Tell which contents of a file are kept, newest first; it may be gone."""
        return await self.desk.rooms.past.history(checked(fid))


class Undo(Handler):
    """Undoing the last change of one file, or an older one."""

    @on("POST", body=UNDO, optional=True, errors=REFUSED)
    async def undo(self, fid: str) -> BroughtBack:
        """Bring back a content of a file; what it replaces is kept in turn.

        Without a body that is what the last change took away.
        """
        wish = _read(self.document, Wish)
        if wish.version is not None and wish.at is not None:
            raise BadRequest("version and at exclude each other; give one of them")
        restored = await self.desk.rooms.past.undo(
            checked(fid), entry=wish.entry, version=wish.version, at=_moment(wish.at)
        )
        return BroughtBack("ok", restored)


class UndoBelow(Handler):
    """Undoing in a whole folder, or since a moment."""

    @on("POST", body=UNDO_BELOW, errors=REFUSED)
    async def undo_below(self) -> UndoneView:
        """Bring back what is gone below a path, or all that has changed since then."""
        wish = _read(self.document, WideWish)
        if wish.since is not None and wish.at is not None:
            raise BadRequest("since and at mean the same; give one of them")
        since = wish.at if wish.since is None else wish.since
        return await self.desk.rooms.past.undo_below(
            _path(wish), entry=wish.entry, since=_moment(since), dry_run=wish.dry_run
        )


def _read(document: Any, kind: type[Any]) -> Any:
    if document is None:
        return kind()
    for name, value in document.items() if isinstance(document, dict) else ():
        if value is None:
            raise BadRequest(f"the body: {name} is null; leave it out")
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the body: {error}") from None


def _moment(seconds: float | None) -> float | None:
    if seconds is not None and not 0 <= seconds <= LATEST:
        raise BadRequest(f"a moment is seconds since 1970, not {seconds:g}")
    return seconds


def _path(wish: WideWish) -> str:
    """Return the path of a wish; the whole is the empty text."""
    if wish.path is not None and wish.path_base64 is not None:
        raise BadRequest("path and path_base64 exclude each other; give one of them")
    if wish.path_base64 is None:
        path = wish.path or ""
        return paths.checked(path) if path.strip("/") else ""
    try:
        raw = base64.b64decode(wish.path_base64, validate=True)
    except ValueError as error:
        raise BadRequest(f"path_base64: {error}") from None
    try:
        return PATH.read(raw) or ""
    except BadRequest as error:
        raise NotFound(str(error)) from None  # Its form is right, but there is none.


ROUTES: list[Route] = [
    ("/files/{fid}/history", History),
    ("/files/{fid}/undo", Undo),
    ("/undo", UndoBelow),
]
