"""Files: who should hold each, and who does."""

import re

from msgspec import Struct

from syncd.api.handler import Handler, Route
from syncd.api.operation import LIMIT, OFFSET, EntryWord, PathWord, Word, on
from syncd.api.rooms import Explanation, FileState, FileView
from syncd.errors import NotFound

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class FilePage(Struct, frozen=True):
    """Some of the files."""

    files: list[FileView]
    total: int
    """How many there are in all."""


def checked(fid: str) -> str:
    """Return the file id in the one spelling we use; raise NotFound if it is none."""
    if _UUID.fullmatch(fid):
        return fid.lower()
    raise NotFound(f"file {fid} not found")


class Files(Handler):
    """All files."""

    @on(
        "GET",
        query=(
            OFFSET,
            LIMIT,
            PathWord("path", "Only this file, or what lies below this folder."),
            EntryWord("owner", "Only files that this entry should hold."),
            Word("state", "Only files in this state.", tuple(FileState)),
        ),
    )
    async def page(self) -> FilePage:
        """List the files, in the order they became known."""
        total, files = await self.desk.rooms.files.page(**self.given)
        return FilePage(files, total)


class Metadata(Handler):
    """What is known of one file."""

    @on("GET")
    async def metadata(self, fid: str) -> FileView:
        """Return the metadata of a file."""
        return await self.desk.rooms.files.file(checked(fid))


class Explain(Handler):
    """Why one file is where it is."""

    @on("GET")
    async def explain(self, fid: str) -> Explanation:
        """Tell which rules put a file where, what is pending, and why."""
        return await self.desk.rooms.files.explain(checked(fid))


ROUTES: list[Route] = [
    ("/files", Files),
    ("/files/{fid}/metadata", Metadata),
    ("/files/{fid}/explain", Explain),
]
