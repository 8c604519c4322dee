"""One daemon per state folder, and nobody else's eyes in it."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from syncd.errors import AlreadyRunning, ConfigError

PRIVATE = 0o700

log = structlog.get_logger()


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Hold the state folder, made if need be, for this process alone.

    The lock ends with the process, however it ends. Raise AlreadyRunning if
    another daemon holds it, ConfigError if it cannot be used.
    """
    _make_private(state)
    try:
        lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"{state}: {error.strerror}") from None
    try:
        _lock(lock, state)
        yield
    finally:
        os.close(lock)


def _make_private(state: Path) -> None:
    try:
        state.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        mode = stat.S_IMODE(state.stat().st_mode)
        if mode & ~PRIVATE:
            state.chmod(mode & PRIVATE)
            log.warning(
                "state folder closed to others", folder=str(state), was=f"{mode:04o}"
            )
    except OSError as error:
        raise ConfigError(f"{state}: {error.strerror}") from None


def _lock(lock: int, state: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise AlreadyRunning(
            f"another syncd, process {holder}, uses the state folder {state}"
        ) from None
    with suppress(OSError):  # A full disk: then the message lacks the number.
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
