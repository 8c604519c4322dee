"""Brings back archives, or parts of them, into folders that are new or empty.

So nothing that is there is written over. What an archive holds was said by a client,
which may mean ill: a link in it must lead nothing out of the folder.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from syncd.borg.running import Ran, Runner
from syncd.borg.streaming import Stream
from syncd.core.borg import reports, script, words
from syncd.core.borg.listing import Item, Links, above
from syncd.core.borg.tasks import Mode, Restore, Result
from syncd.errors import ConfigError, Conflict, NotFound, StorageError

MOST = 1000
"""Paths that a dry run tells."""


async def restore(task: Restore, runner: Runner) -> Result:
    """Bring back what is wanted, and return how much that was.

    Raise NotFound for paths the archive does not have, Conflict for a folder that is
    not empty, StorageError if it cannot be done.
    """
    look = await _look(task, runner)
    if task.dry_run:
        return Result(
            archive=task.archive,
            files=look.items,
            plan=look.paths,
            warnings=look.warnings,
        )
    client = task.client
    if client is None or client.here:
        ran = await _here(task, runner)
    elif task.mode is Mode.PUSH:
        ran = await _there(task, runner)
    else:
        ran = await _unpacked_there(task, runner)
    if ran.code == script.OCCUPIED:
        raise _occupied(task.folder)
    if ran.code not in (0, reports.WARNING):
        raise reports.failure("the restore", ran.code, ran.lines)
    warnings = [*look.warnings, *ran.warnings]
    return Result(archive=task.archive, files=look.items, warnings=warnings)


async def _here(task: Restore, runner: Runner) -> Ran:
    await asyncio.to_thread(_made_empty, Path(task.folder))
    said = words.extract(task.repository, task.archive, task.paths)
    return await runner.borg(words.inside(task.folder, said), task.repository)


async def _there(task: Restore, runner: Runner) -> Ran:
    assert task.client is not None
    if task.repository.place.host is None:
        raise ConfigError(
            f"{task.client.hostname} cannot reach {task.repository.path}, a folder of"
            " this machine; have it only unpack what is sent to it"
        )
    text = script.program(
        words.extract(task.repository, task.archive, task.paths),
        task.login.known_hosts,
        folder=task.folder,
    )
    shell = script.shell(task.client, text, agent=True)
    reach = words.ssh(task.client, runner.doors.keys, shell, agent=True)
    secrets = script.secrets(task.repository.passphrase, "")
    lent = words.lent(task.login, task.client, task.repository, runner.doors.keys)
    return await runner.remote(reach, secrets, lent)


async def _unpacked_there(task: Restore, runner: Runner) -> Ran:
    assert task.client is not None
    unpack = script.as_root(task.client, script.into(task.folder, words.untar()))
    reach = words.ssh(task.client, runner.doors.keys, unpack)
    said = words.export_tar(task.repository, task.archive, task.paths)
    ran = await runner.borg(words.pipe(said, reach), task.repository)
    first, second = reports.pipe_codes(ran.lines) or (ran.code, ran.code)
    if second == script.OCCUPIED:
        raise _occupied(task.folder)
    if code := reports.guilty(first, second):
        raise reports.failure("the restore", code, ran.lines)
    return Ran(first, ran.lines, b"")


def _made_empty(folder: Path) -> None:
    """Make the folder; raise Conflict if something is in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise _occupied(str(folder))
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be restored into: {error.strerror}; name another folder"
        ) from None


def _occupied(folder: str) -> Conflict:
    return Conflict(
        f"{folder} is not empty, and nothing is written over; name a new folder, or an"
        " empty one"
    )


async def _look(task: Restore, runner: Runner) -> "_Look":
    """Return what would be restored; raise NotFound, StorageError if it is unsafe."""
    look = _Look(task.paths)
    stream = Stream(look.add)
    said = words.listing(task.repository, task.archive, task.paths)
    ran = await runner.borg(said, task.repository, take=stream.take)
    if ran.code not in (0, reports.WARNING):
        raise reports.failure("listing the archive", ran.code, ran.lines)
    stream.end()
    if look.missing:
        raise NotFound(
            f"{task.archive} has no {min(look.missing)}; look into its catalogue"
        )
    look.items = stream.items
    return look


class _Look:
    """Goes through an archive, and remembers only what is needed of it."""

    def __init__(self, wanted: Sequence[str]) -> None:
        self._links = Links()
        self.missing = set(words.relative(wanted))
        self.items = 0
        self.paths: list[str] = []
        self.warnings: list[str] = []
        """The first thousand of each."""

    def add(self, items: list[Item]) -> None:
        """Take some more; raise StorageError for one that leads out of the folder."""
        for item in items:
            self._links.see(item)
            if not item.healthy and len(self.warnings) < MOST:
                # Borg says so when it unpacks, but not when it exports a tar.
                self.warnings.append(
                    f"{item.path} is damaged in the repository: zeros stand where"
                    " content was lost; take it from another archive"
                )
            if self.missing:
                self.missing.difference_update(above(item.path))
        if len(self.paths) < MOST:
            self.paths += [item.path for item in items[: MOST - len(self.paths)]]
