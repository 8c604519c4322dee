"""Writes down what an archive holds, in batches, whatever their number."""

import os
from collections.abc import Callable
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path

from syncd.borg.running import Runner
from syncd.borg.streaming import Stream
from syncd.core.borg import listing, reports, words
from syncd.core.borg.listing import Item
from syncd.core.borg.tasks import Catalogue, Result
from syncd.core.job import Progress
from syncd.errors import StorageError, StorageFull

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


async def catalogue(task: Catalogue, runner: Runner) -> Result:
    """List an archive into the task's file, which is shown when it is complete.

    Raise NotFound for an archive there is not, StorageError if it cannot be listed or
    written down.
    """
    file = Path(task.file)
    half = file.with_name(f"{file.name}.half")
    try:
        with os.fdopen(os.open(half, _NEW, 0o600), "wb") as into:
            batches = _Batches(runner, into.write)
            stream = Stream(batches.add)
            said = words.listing(task.repository, task.archive)
            ran = await runner.borg(said, task.repository, take=stream.take)
            if ran.code not in (0, reports.WARNING):
                raise reports.failure("listing the archive", ran.code, ran.lines)
            stream.end()
            batches.give()
        half.replace(file)
    except OSError as error:
        kind = StorageFull if error.errno in (ENOSPC, EDQUOT) else StorageError
        raise kind(
            f"the catalogue cannot be written to {file}: {error.strerror}; make room,"
            " or mend it"
        ) from None
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
    return Result(archive=task.archive, files=stream.items, warnings=ran.warnings)


class _Batches:
    """Gathers items, and holds one batch at most."""

    def __init__(self, runner: Runner, write: Callable[[bytes], object]) -> None:
        self._runner = runner
        self._write = write
        self._batch: list[Item] = []
        self._given = 0

    def add(self, items: list[Item]) -> None:
        """Take some more; raise OSError if they cannot be written."""
        self._batch += items
        if len(self._batch) >= listing.BATCH:
            self.give()

    def give(self) -> None:
        """Write what there is; raise OSError."""
        if self._batch:
            self._write(listing.packed(self._batch))
            self._given += len(self._batch)
            self._batch = []
            self._runner.tell.progress(Progress(items=self._given, phase="listing"))
