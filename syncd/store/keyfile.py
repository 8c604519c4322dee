"""Keys in files of the state folder, which only we may read; made when first needed."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from syncd.errors import Unavailable

SHORTEST = 32
"""Bytes of a key."""


def read_or_made(file: Path) -> bytes:
    """Return the key in a file; raise Unavailable if it cannot be had."""
    try:
        if not file.exists():
            _make(file)
        key = file.read_bytes()
    except OSError as error:
        raise Unavailable(f"{file}: {error.strerror}; see to it") from None
    if len(key) < SHORTEST:
        raise Unavailable(f"{file} is no key; remove it, and a new one is made")
    return key


def _make(file: Path) -> None:
    """Write a new key beside and show it, so that it is whole or not at all.

    Who is first makes it: what another may have used already is never replaced. What
    is returned survives a power cut, as what is sealed with it does.
    """
    new = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as to:
            to.write(secrets.token_bytes(2 * SHORTEST))
            to.flush()
            os.fsync(to.fileno())
        with suppress(FileExistsError):
            file.hardlink_to(new)
    finally:
        new.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
