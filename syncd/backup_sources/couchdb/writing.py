"""Writes documents into a database, many at a time."""

import base64
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from syncd.backup_sources.couchdb.holding import Held, Record, encoder, spilled
from syncd.backup_sources.couchdb.spool import finished
from syncd.backup_sources.couchdb.talking import Server, Told, in_url
from syncd.backup_sources.couchdb.there import Said

REFUSED = (400, 403, 409, 412, 413)
"""Statuses that say something of a document, not of the server."""


class Writing:
    """Writes into one database what a vault has of another, or of itself."""

    def __init__(
        self, server: Server, target: str, held: Held, name: str, scratch: Path
    ) -> None:
        """Take the database's name on the server, and that in the vault."""
        self._server = server
        self._target = target
        self._held = held
        self._name = name
        self._scratch = scratch
        self._bodies = itertools.count()

    async def sent(
        self, docs: Sequence[tuple[Record, Raw]], *, new_edits: bool
    ) -> list[Said]:
        """Write documents; return what the server says of those that failed, or of all.

        One that makes no sense has it refuse all that come with it.
        """
        path = f"{in_url(self._target)}/_bulk_docs"
        answer = await self._posted(path, docs, new_edits=new_edits)
        if answer.status not in REFUSED:
            said: list[Said] = answer.read_as(list[Said])
            return said
        if len(docs) == 1:
            refused: Said = answer.read_as(Said)
            return [msgspec.structs.replace(refused, id=docs[0][0].id)]
        half = len(docs) // 2
        first = await self.sent(docs[:half], new_edits=new_edits)
        return first + await self.sent(docs[half:], new_edits=new_edits)

    async def _posted(
        self, path: str, docs: Sequence[tuple[Record, Raw]], *, new_edits: bool
    ) -> Told:
        pieces = self._pieces(docs, new_edits=new_edits)
        if not any(one.files for one, _ in docs):
            said = b"".join(pieces)
            return await self._server.ask("POST", path, said, fine=REFUSED)
        # What lies beside documents may be of any size.
        body = self._scratch / f"body {next(self._bodies)}"
        try:
            await finished(spilled, pieces, body)
            return await self._server.ask("POST", path, body=body, fine=REFUSED)
        finally:
            await finished(body.unlink)

    def _pieces(
        self, docs: Sequence[tuple[Record, Raw]], *, new_edits: bool
    ) -> Iterator[bytes]:
        yield b'{"new_edits":%s,"docs":[' % (b"true" if new_edits else b"false")
        for number, (one, doc) in enumerate(docs):
            if number:
                yield b","
            if one.files:
                yield from self._with_files(one, doc)
            else:
                yield bytes(doc)
        yield b"]}"

    def _with_files(self, one: Record, doc: Raw) -> Iterator[bytes]:
        """Give a document with what of it lies beside it put back in."""
        said: dict[str, Any] = msgspec.json.decode(doc)
        files = one.files.get(said.get("_rev", ""), {})
        if "_revisions" not in said:
            files = one.files.get(one.winner, {})
        attached = said.pop("_attachments", {})
        if said.get("_deleted") or not attached:
            yield encoder.encode(said)
            return
        yield encoder.encode(said)[:-1] + b',"_attachments":{'
        for number, (name, file) in enumerate(attached.items()):
            known = ("content_type", "revpos")
            about = {word: file[word] for word in known if word in file}
            yield (b"," if number else b"") + encoder.encode(name) + b":"
            yield encoder.encode(about)[:-1] + b',"data":"'
            for piece in self._held.file(self._name, files[name]):
                yield base64.b64encode(piece)
            yield b'"}'
        yield b"}}"
