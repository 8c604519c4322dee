"""Gives a vault's files away as a zip, to whoever connects to a socket first."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from syncd.child.frames import frame
from syncd.errors import StorageError
from syncd.vaults import zipped
from syncd.vaults.contract import Vault
from syncd.vaults.vault import LocalVault
from syncd.wire import Chunk, End

PATIENCE = 60.0
"""Seconds that whoever takes the zip may need for a piece of it."""


def given(
    vault: Vault,
    path: Path,
    stopping: Callable[[], bool],
    length: Callable[[int | None], None],
    pieces: Iterator[bytes] | None = None,
) -> None:
    """Give the zip as frames, after ``length`` was told how long it is.

    With ``pieces`` it is these in place of a zip, and nobody knows how long. Raise
    StorageError if the vault is not what was stored: what was given before is then of
    no use, and whoever takes it is told so.
    """
    here = cast("LocalVault", vault)
    if pieces is None:
        items = list(here.items())
        length(zipped.length(items))
        pieces = zipped.stream(here, items)
    else:
        length(None)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        listening.settimeout(PATIENCE)
        listening.listen(1)
        try:
            taker, _ = listening.accept()
        finally:
            path.unlink(missing_ok=True)
    with taker:
        taker.settimeout(PATIENCE)
        try:
            for piece in pieces:
                _go_on(stopping)
                taker.sendall(frame(Chunk(piece)))
            taker.sendall(frame(End()))
        except StorageError as error:
            taker.sendall(frame(End(str(error), type(error).__name__)))
            raise


def _go_on(stopping: Callable[[], bool]) -> None:
    if stopping():
        raise StorageError("syncd ended the download")
