"""When two documents say the same, whatever their revisions."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from syncd.backup_sources.couchdb.holding import Record, leaves, order
from syncd.backup_sources.couchdb.there import Row
from syncd.errors import StorageError

NO_CONTENT = ("_rev", "_revisions", "_conflicts", "_deleted_conflicts")
"""Members that tell of a document's revisions."""


def joined(revisions: Iterable[str]) -> str:
    """Return revisions as one text, in their order."""
    return "\n".join(sorted(revisions, key=order))


def leaves_of(one: Record) -> str:
    """Return the revisions of a document's leaves in the order of There."""
    if not one.winner:
        return ""
    return joined(leaves.decode(leaf).rev for leaf in one.leaves)


def best(one: Record) -> Raw:
    """Return the leaf that is read."""
    if len(one.leaves) == 1:
        return one.leaves[0]
    found = [leaf for leaf in one.leaves if leaves.decode(leaf).rev == one.winner]
    if not found:
        raise StorageError(f"the vault lacks what is read of the document {one.id!r}")
    return found[0]


def content(doc: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without its revisions, and with digests for attachments."""
    said = {name: value for name, value in doc.items() if name not in NO_CONTENT}
    if attached := said.pop("_attachments", None):
        said["_attachments"] = {
            name: file.get("digest") or _digest(file.get("data", ""))
            for name, file in attached.items()
        }
    return said


def _digest(data: str) -> str:
    """Return the digest that a CouchDB gives to an attachment."""
    raw = base64.b64decode(data)
    digest = hashlib.md5(raw, usedforsecurity=False).digest()
    return f"md5-{base64.b64encode(digest).decode()}"


def edited(one: Record, row: Row | None, stubs: list[str]) -> dict[str, Any]:
    """Return the document as a new revision on top of what is there.

    ``stubs`` gets the attachments that it names and nobody has.
    """
    said: dict[str, Any] = msgspec.json.decode(best(one))
    for word in NO_CONTENT:
        said.pop(word, None)
    if row is not None and row.lives:
        said["_rev"] = row.revision
    if one.winner == "" and "_attachments" in said:
        _drop_stubs(one, said, row, stubs)
    return said


def _drop_stubs(
    one: Record, said: dict[str, Any], row: Row | None, stubs: list[str]
) -> None:
    """Leave out attachments that neither the backup nor the server has."""
    there = (row.doc if row and row.doc else {}).get("_attachments", {})
    for name, file in list(said["_attachments"].items()):
        known = there.get(name, {}).get("digest")
        if isinstance(file, dict) and (
            "data" in file or (known and known == file.get("digest"))
        ):
            continue
        del said["_attachments"][name]
        stub = f"{one.id}/{name}"
        if stub not in stubs:
            stubs.append(stub)
    if not said["_attachments"]:
        del said["_attachments"]
