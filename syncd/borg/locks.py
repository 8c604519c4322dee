"""Tells a lock that is held from one that was left behind.

Borg itself removes the locks of processes of this machine that are no more. What it
cannot tell is that a number has gone to another process since. A lock of another
machine is never touched: who holds it cannot be asked.
"""

import asyncio
import re
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

from syncd.core.borg.values import Place

_HOLDER = re.compile(r"(?P<host>.+@\d+)\.(?P<pid>\d+)-[0-9a-f]+")


def ours() -> str:
    """Return what Borg is to call this machine in locks."""
    return f"{socket.gethostname()}@{uuid.getnode()}"


async def left_behind(place: Place) -> bool:
    """Tell whether the lock of a repository is provably nobody's."""
    if place.host is not None:
        return False
    return await asyncio.to_thread(_left_behind, Path(place.path))


def _left_behind(folder: Path) -> bool:
    holders = list(_holders(folder / "lock.exclusive"))
    # A lock that several share is in another file, and tells no times.
    return bool(holders) and all(holders)


def _holders(folder: Path) -> Iterator[bool]:
    """Give for each holder whether it is gone for sure."""
    try:
        held = list(folder.iterdir())
    except OSError:
        return
    for one in held:
        found = _HOLDER.fullmatch(one.name)
        if found is None or found["host"] != ours():
            yield False
            continue
        try:
            began = psutil.Process(int(found["pid"])).create_time()
            yield began > one.lstat().st_mtime
        except psutil.NoSuchProcess:
            yield True
        except (psutil.Error, OSError):
            yield False
