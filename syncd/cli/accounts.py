"""How the commands about users and tokens reach the index, daemon or not."""

import getpass
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from syncd import clock
from syncd import config as configuration
from syncd.api.accounts import MARK, mark
from syncd.errors import AlreadyRunning
from syncd.store import audit, beside
from syncd.store.audit import Line, Outcome
from syncd.supervisor import single

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds that a daemon that is just starting may take to make its index."""


def state(config: Path) -> Path:
    """Return the state folder that a configuration names; raise ConfigError."""
    return configuration.read(config).state.absolute()


def on_index(folder: Path, work: Callable[[Connection], T]) -> T:
    """Run work(connection) in a transaction on the index of the state folder.

    An index that is missing or old is made first. Raise SyncdError.
    """
    index = folder / "index.db"
    deadline = clock.monotonic() + PATIENCE
    while not beside.is_current(index):
        try:
            with single.held(folder):
                beside.make(index)
                give_away(folder)
        except AlreadyRunning:
            if clock.monotonic() > deadline:
                raise
            time.sleep(0.1)  # That daemon makes it.
    return beside.run(index, work)


def close_the_door(folder: Path) -> None:
    """Leave the sign in the state folder that there are accounts."""
    mark(folder)
    give_away(folder)


def give_away(folder: Path) -> None:
    """Give what root has made there to whom the folder belongs: the daemon's user."""
    if os.geteuid() != 0:
        return
    owner = folder.stat()
    for file in [folder / "lock", folder / MARK, *folder.glob("index.db*")]:
        with suppress(FileNotFoundError):
            os.chown(file, owner.st_uid, owner.st_gid, follow_symlinks=False)


def note(db: Connection, action: str, target: str) -> None:
    """Write down that somebody did this by a command."""
    audit.add(
        db,
        [
            Line(
                at=clock.timestamp(),
                who=_who(),
                means="command line",
                address="this machine",
                action=action,
                target=target,
                outcome=Outcome.DONE,
            )
        ],
    )


def _who() -> str:
    """Return the person at the keyboard, even where sudo or su made root of them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    caller = os.environ.get("SUDO_USER")
    return f"{caller} as {name}" if caller and caller != name else name
