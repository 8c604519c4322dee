"""How databases lie in a vault, and how they are read from it.

``NAME/about.json`` tells of a database, ``NAME/docs/...`` holds its documents, one on
a line, ``NAME/attachments/SHA256`` what of them is large. A document is kept with
every leaf of its revisions, byte for byte as the server sent them. Documents lie
together by their ids, so that what did not change makes the same files again.
A vault may also hold one ``document.json``: a backup that somebody sent.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw, Struct, field

from syncd.core.vault import Item, ItemKind
from syncd.errors import BadRequest, NotFound
from syncd.vaults.contract import Staging, Vault

DOCUMENT = "document.json"
ABOUT = "about.json"
DOCS = "docs"
ATTACHMENTS = "attachments"

TOGETHER = 0x7F
"""A file of documents ends with about one id of so many, ..."""
LARGE = 1 << 20
"""... or beyond so many bytes."""

INFLATED = 256 << 20
"""Bytes of documents that compressed ones may be."""


class About(Struct, frozen=True, kw_only=True):
    """What a vault says of one database."""

    name: str
    begun: float
    """When its reading began, in seconds since 1970."""
    moment: float
    """As of when it is what it was."""
    sequence: Any = None
    docs: int = 0
    deleted: int = 0
    """Documents that were, of which only the end is kept."""
    security: dict[str, Any] | None = None


class Record(Struct, frozen=True, kw_only=True):
    """A document."""

    id: str
    winner: str = ""
    """The revision that is read where none is named; empty: there is no history."""
    dead: bool = False
    """Whether it was deleted, so that only its end is known."""
    leaves: list[Raw]
    """Each as the server sent it."""
    files: dict[str, dict[str, str]] = {}
    """By revision and name, the attachments that lie beside it."""


class Leaf(Struct, frozen=True, rename=lambda name: f"_{name}"):
    """What must be known of a leaf; the rest is nobody's business here."""

    id: str
    rev: str = ""
    deleted: bool = False
    attachments: dict[str, Any] = {}


class Kind(Struct, frozen=True):
    """The type of a document, whatever it is."""

    type: Any = None


class _Given(Struct, frozen=True):
    docs: list[Raw] = []
    compressed_docs: str | None = None


class _Document(Struct, frozen=True):
    dbs: dict[str, _Given]


class _Id(Struct, frozen=True):
    """A document as far as it must be known: it is one, and has an id."""

    id: str = field(name="_id")


encoder = msgspec.json.Encoder()
records = msgspec.json.Decoder(Record)
leaves = msgspec.json.Decoder(Leaf)
kinds = msgspec.json.Decoder(Kind)
_ids = msgspec.json.Decoder(_Id)


def winner(found: Sequence[Leaf]) -> Leaf:
    """Return the leaf that a CouchDB reads where none is named, or the last to die."""
    living = [leaf for leaf in found if not leaf.deleted]
    return max(living or found, key=lambda leaf: order(leaf.rev))


def order(revision: str) -> tuple[int, str]:
    """Return what orders revisions as every CouchDB does."""
    generation, _, digest = revision.partition("-")
    return (int(generation) if generation.isdecimal() else 0, digest)


class Keeping:
    """Puts the documents of one database into a vault, in the order of their ids."""

    def __init__(self, name: str, into: Staging) -> None:
        self._top = quote(name, safe="")
        self._into = into
        self._lines: list[bytes] = []
        self._first = ""
        self._size = 0

    def add(self, id_: str, line: bytes) -> None:
        """Take one document, as a record in JSON; raise StorageError."""
        if not self._lines:
            self._first = id_
        self._lines.append(line)
        self._size += len(line)
        if self._size > LARGE or zlib.crc32(id_.encode()) & TOGETHER == 0:
            self.flush()

    def attach(self, digest: str, file: BinaryIO) -> None:
        """Take an attachment by its SHA-256; raise StorageError."""
        item = Item(path=f"{self._top}/{ATTACHMENTS}/{digest}", mode=0o600)
        self._into.add(item, file)

    def end(self, about: About) -> None:
        """Take what there is to say of the database; raise StorageError."""
        self.flush()
        said = encoder.encode(about)
        item = Item(path=f"{self._top}/{ABOUT}", size=len(said), mode=0o600)
        self._into.add(item, BytesIO(said))

    def flush(self) -> None:
        """Have the vault take what is waiting for its like; raise StorageError."""
        if not self._lines:
            return
        content = b"\n".join(self._lines) + b"\n"
        first = zlib.crc32(self._first.encode())
        # Two files may begin with ids of the same sum; their content tells them apart.
        name = f"{first:08x}-{zlib.crc32(content):08x}.jsonl"
        path = f"{self._top}/{DOCS}/{name}"
        item = Item(path=path, size=len(content), mode=0o600)
        self._into.add(item, BytesIO(content))
        self._lines, self._size = [], 0


class Held:
    """The databases of a vault."""

    def __init__(self, vault: Vault) -> None:
        """Look what there is; raise StorageError."""
        self._vault = vault
        self._docs: dict[str, list[Item]] = {}
        self._abouts: dict[str, Item] = {}
        self._files: dict[str, Item] = {}
        self._sent: _Document | None = None
        for item in vault.items():
            if item.kind is ItemKind.FILE:
                self._take(item)

    def _take(self, item: Item) -> None:
        top, _, rest = item.path.partition("/")
        name = unquote(top)
        if item.path == DOCUMENT:
            self._sent = _document(next(self._read([item]))[1])
        elif rest == ABOUT:
            self._abouts[name] = item
        elif rest.startswith(f"{DOCS}/"):
            self._docs.setdefault(name, []).append(item)
        elif rest.startswith(f"{ATTACHMENTS}/"):
            self._files[item.path] = item

    @property
    def names(self) -> list[str]:
        """Return the names of the databases, in order."""
        if self._sent is not None:
            return list(self._sent.dbs)
        return sorted(self._abouts)

    def about(self, name: str) -> About | None:
        """Return what it says of a database; None where somebody sent it."""
        if self._sent is not None:
            return None
        item = self._abouts[name]
        return msgspec.json.decode(next(self._read([item]))[1], type=About)

    def records(self, name: str) -> Iterator[Record]:
        """Give the documents of a database; raise StorageError or BadRequest."""
        if self._sent is not None:
            yield from _sent(self._sent.dbs[name])
            return
        for _, content in self._read(self._docs.get(name, [])):
            for line in content.splitlines():
                yield records.decode(line)

    def file(self, name: str, digest: str) -> Iterator[bytes]:
        """Give the content of an attachment; raise NotFound or StorageError."""
        path = f"{quote(name, safe='')}/{ATTACHMENTS}/{digest}"
        if path not in self._files:
            raise NotFound(f"the vault lacks the attachment {path}")
        for _, file in self._vault.open([self._files[path]]):
            while piece := file.read(3 << 18):
                yield piece

    def _read(self, items: Sequence[Item]) -> Iterator[tuple[Item, bytes]]:
        for item, file in self._vault.open(items):
            yield item, file.read()


def _document(content: bytes) -> _Document:
    """Return a backup that somebody sent, all of which can be read."""
    try:
        found = msgspec.json.decode(content, type=_Document)
    except msgspec.DecodeError as error:
        raise BadRequest(f"this is no backup: {error}") from None
    for name, given in found.dbs.items():
        try:
            _last(given)
        except (BadRequest, msgspec.DecodeError) as error:
            raise BadRequest(f"dbs.{name} cannot be read: {error}") from None
    return found


def _sent(given: _Given) -> Iterator[Record]:
    """Give the documents that somebody sent; of several with one id, the last."""
    for id_, doc in _last(given).items():
        yield Record(id=id_, leaves=[doc])


def _last(given: _Given) -> dict[str, Raw]:
    docs = given.docs
    if given.compressed_docs is not None:
        docs = inflated(given.compressed_docs)
    return {_ids.decode(doc).id: doc for doc in docs}


def inflated(compressed: str) -> list[Raw]:
    """Return documents that were deflated, in base64; raise BadRequest."""
    try:
        inflating = zlib.decompressobj()
        text = inflating.decompress(
            base64.b64decode(compressed, validate=True), INFLATED
        )
        if inflating.unconsumed_tail:
            raise BadRequest(f"compressed_docs are more than {INFLATED} bytes")
        if not inflating.eof:
            raise BadRequest("compressed_docs are cut off")
        return msgspec.json.decode(text, type=list[Raw])
    except (binascii.Error, ValueError, zlib.error) as error:
        raise BadRequest(f"compressed_docs cannot be read: {error}") from None


def spilled(pieces: Iterable[bytes], file: Path) -> None:
    """Write pieces into a file."""
    with file.open("wb") as there:
        there.writelines(pieces)
