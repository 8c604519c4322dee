"""Runs Borg and SSH inside a worker: what they say is told, their secrets are not."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from syncd.backup_sources.command.environment import environment
from syncd.backup_sources.command.running import NOTHING, Take, run
from syncd.backup_sources.contract import Tell
from syncd.borg import locks
from syncd.borg.doors import Doors
from syncd.core.borg import reports, words
from syncd.core.borg.reports import Level, Line, Trouble
from syncd.core.borg.tasks import Common
from syncd.core.borg.values import Repository
from syncd.core.job import Progress
from syncd.errors import StorageError

GRACE = 10.0
"""Seconds that Borg gets to let go of a repository before it is killed."""

MOST_PRINTED = 64 << 20
"""Bytes of what is kept in memory of a command's stdout."""

MOST_LINES = 1000
"""Lines of stderr, the last, by which a failure is understood."""

LONGEST_LINE = 1 << 16
"""Bytes of stderr that are taken as one line."""


class Ran(Struct, frozen=True):
    """What came of a command."""

    code: int
    lines: list[Line]
    """The last that it said on stderr."""
    printed: bytes

    @property
    def warnings(self) -> list[str]:
        """Return what it warned of."""
        return reports.warnings(self.lines)


class Runner:
    """Runs commands for one task, with its keys and passphrase at hand."""

    def __init__(self, task: Common, scratch: Path, tell: Tell) -> None:
        """Write the files that SSH needs into the scratch folder."""
        self.scratch = scratch
        self.tell = tell
        self.doors = Doors(task.login, scratch)
        self._base = task.base

    async def borg(
        self,
        said: Sequence[str],
        repository: Repository,
        *,
        take: Take | None = None,
        variables: dict[str, str] | None = None,
        told: bytes = b"",
    ) -> Ran:
        """Run words that have Borg among them; it reads the passphrase from a pipe.

        On its stdin there is what it is ``told``. A lock that is provably left behind
        is removed, and it is tried once more. Raise StorageError if it cannot be
        started.
        """
        ran = await self._borg(said, repository, take, variables or {}, told)
        if reports.trouble(ran.lines) is not Trouble.LOCKED or not ran.code:
            return ran
        if not await locks.left_behind(repository.place):
            return ran
        self.tell.line("the lock of the repository was left behind: it is removed")
        broken = words.break_lock(repository)
        await self._borg(broken, repository, None, {}, b"")
        return await self._borg(said, repository, take, variables or {}, told)

    async def _borg(
        self,
        said: Sequence[str],
        repository: Repository,
        take: Take | None,
        variables: dict[str, str],
        told: bytes,
    ) -> Ran:
        secret = repository.passphrase.encode()
        with _pipe(secret) as reading, _pipe(told) as stdin:
            more = {"BORG_PASSPHRASE_FD": str(reading), **variables}
            return await self.run(
                said, take=take, variables=more, passing=[reading], stdin=stdin
            )

    async def remote(
        self, said: Sequence[str], secrets: bytes, lent: Sequence[str]
    ) -> Ran:
        """Run words that read secrets on stdin, which stays open till their end.

        An agent has our key, which SSH lends to a client, within these limits.
        """
        with _pipe(secrets, keep=True) as reading:
            return await self.run(said, stdin=reading, lent=lent)

    async def run(
        self,
        said: Sequence[str],
        *,
        take: Take | None = None,
        variables: dict[str, str] | None = None,
        passing: Sequence[int] = (),
        stdin: int = NOTHING,
        limit: float | None = None,
        lent: Sequence[str] | None = None,
    ) -> Ran:
        """Run any words and return what came of it; raise StorageError."""
        lines = Lines(self._told)
        printed = bytearray()

        def keep(data: bytes) -> None:
            if len(printed) <= MOST_PRINTED:
                printed.extend(data)

        await self.doors.open()
        ended = await run(
            self.doors.through(said, lent),
            take or keep,
            take_errors=lines.feed,
            environment=environment(os.environ, self._environment(variables or {})),
            grace=GRACE,
            limit=limit,
            descriptors=passing,
            stdin=stdin,
        )
        lines.end()
        if ended.late:
            raise StorageError(f"{said[0]} took longer than {limit:g} s, and was ended")
        if ended.cut:
            raise StorageError(f"what {said[0]} prints does not end, though it has")
        if len(printed) > MOST_PRINTED:
            raise StorageError(f"{said[0]} printed more than {MOST_PRINTED} bytes")
        return Ran(ended.code, lines.last, bytes(printed))

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        said = words.environment(self.doors.keys, self._base)
        said["BORG_HOST_ID"] = locks.ours()
        return {**said, **self.doors.environment, **more}

    def _told(self, said: Line | Progress) -> None:
        if isinstance(said, Progress):
            self.tell.progress(said)
        elif not said.text.startswith(reports.PIPE_CODES):
            mark = "" if said.level is Level.INFO else f"{said.level.lower()}: "
            self.tell.line(f"{mark}{said.text}")


class Lines:
    """Takes what is said on stderr, and tells it as lines and progress."""

    def __init__(self, tell: Callable[[Line | Progress], None]) -> None:
        self._tell = tell
        self._begun = b""
        self.last: list[Line] = []

    def feed(self, data: bytes) -> None:
        """Take what was said next."""
        *lines, self._begun = (self._begun + data).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._begun) > LONGEST_LINE:
            self.end()

    def end(self) -> None:
        """Tell what is left, too."""
        begun, self._begun = self._begun, b""
        if begun:
            self._line(begun)

    def _line(self, line: bytes) -> None:
        said = reports.understood(line.decode(errors="replace"))
        if said is None:
            return
        if isinstance(said, Line):
            self.last.append(said)
            if len(self.last) > 2 * MOST_LINES:
                del self.last[:MOST_LINES]
        self._tell(said)


@contextmanager
def _pipe(secret: bytes, *, keep: bool = False) -> Iterator[int]:
    """Lend the end of a pipe from which a secret can be read, once.

    With ``keep`` the other end stays open meanwhile: it does not end there.
    """
    reading, writing = os.pipe()
    ends = [reading, writing]
    try:
        os.write(writing, secret)
        if not keep:
            os.close(ends.pop())
        yield reading
    finally:
        for end in ends:
            os.close(end)


def masked(task: Common) -> list[str]:
    """Return what of a task may stand in no log."""
    found: list[str] = []
    _collect(msgspec.to_builtins(task), found)
    return found


_SECRET = frozenset({"passphrase", "key_passphrase", "key", "password"})


def _collect(value: object, found: list[str]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _SECRET and isinstance(inner, str) and inner:
                found.append(inner)
            else:
                _collect(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, found)
