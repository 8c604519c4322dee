"""A vault's documents as a backup in one document shows them: what is read of each."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from syncd.backup_sources.couchdb.comparing import best
from syncd.backup_sources.couchdb.holding import Held, Record
from syncd.vaults.contract import Vault

HISTORY = ("_revisions", "_conflicts", "_deleted_conflicts")
PIECE = 1 << 18
"""Bytes that are given at once, about."""

_encoder = msgspec.json.Encoder(order="sorted")


def databases(options: Mapping[str, Any], vault: Vault) -> Iterator[bytes]:
    """Give an object in JSON that holds each database with its documents.

    ``heads`` of the options are the members that a database has besides, by name, in
    the order in which they come. Raise StorageError.
    """
    held = Held(vault)
    heads: Mapping[str, dict[str, Any]] = options["heads"]
    names = [name for name in heads if name in held.names]
    names += [name for name in held.names if name not in heads]
    pending = bytearray(b"{")
    for place, name in enumerate(names):
        pending += b"," if place else b""
        pending += msgspec.json.encode(name) + b":"
        pending += msgspec.json.encode({**heads.get(name, {}), "docs": []})[:-2]
        first = True
        for record in held.records(name):
            if record.dead:
                continue
            pending += b"" if first else b","
            first = False
            for piece in _document(held, name, record):
                pending += piece
                if len(pending) > PIECE:
                    yield bytes(pending)
                    pending.clear()
        pending += b"]}"
    yield bytes(pending + b"}")


def _document(held: Held, name: str, record: Record) -> Iterator[bytes]:
    said: dict[str, Any] = msgspec.json.decode(best(record))
    for word in HISTORY:
        said.pop(word, None)
    files = record.files.get(record.winner, {})
    attached = said.pop("_attachments", None) if files else None
    text = _encoder.encode(said)
    if attached is None:
        yield text
        return
    yield text[:-1] + b',"_attachments":{'
    for place, (file, about) in enumerate(attached.items()):
        about.pop("stub", None)
        yield (b"," if place else b"") + msgspec.json.encode(file) + b":"
        yield msgspec.json.encode(about)[:-1] + b',"data":"'
        for piece in held.file(name, files[file]):
            yield base64.b64encode(piece)
        yield b'"}'
    yield b"}}"
