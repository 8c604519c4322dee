"""Runs one command with all that it starts, and sees all of it ended."""

import asyncio
import errno
import os
import subprocess  # noqa: TID251 - this is a worker, where no Circus reaps
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from syncd.errors import StorageError

KEEPER = Path(__file__).with_name("keeper.py")

NOTHING = subprocess.DEVNULL
"""What a command reads where it is given nothing to read."""

_CHUNK = 1 << 16
_FULL_PIPE = 16
"""How often to read a pipe that nobody should write to any more."""

_LAST_WAIT = 15.0
"""Seconds after which a keeper that was told to kill is killed itself."""
_LAST_WORDS = 1.0
"""Seconds for what is still in the pipes once all has ended."""

Take = Callable[[bytes], None]


class Ended(Struct, frozen=True):
    """What came of a command."""

    code: int
    """Its exit code; -9 for death by signal 9."""
    left: int = 0
    """How many processes it left behind; they were ended."""
    writing: list[str] = []
    """Those of them that were still writing into the folder."""
    late: bool = False
    """Whether it was ended because its time was up."""
    cut: bool = False
    """Whether something still holds its pipes, and may say more."""


class _Told(Struct, frozen=True):
    code: int = 0
    left: int = 0
    writing: list[str] = []
    error: str | None = None


async def run(
    words: Sequence[str],
    take: Take,
    *,
    environment: Mapping[str, str],
    take_errors: Take | None = None,
    folder: Path | None = None,
    limit: float | None = None,
    grace: float = 10.0,
    plea: Callable[[], Awaitable[None]] | None = None,
    stdin: int = NOTHING,
    descriptors: Sequence[int] = (),
) -> Ended:
    """Run a command and return what came of it, when nothing of it is left.

    ``take`` is told what it prints; on stderr too, unless ``take_errors`` is. When
    its ``limit`` (seconds) is over, or this is cancelled, it is asked to end
    first by the ``plea``, after ``grace`` seconds by SIGTERM, and then killed.
    It inherits the ``descriptors``, under their numbers.
    Raise StorageError if it cannot be started.
    """
    kept = _Kept(words, environment, folder)
    try:
        kept.start(take, take_errors, stdin, descriptors)
        late = await _wait(kept, limit, grace, plea)
        return kept.result(late=late)
    finally:
        kept.close()


async def _wait(
    kept: "_Kept",
    limit: float | None,
    grace: float,
    plea: Callable[[], Awaitable[None]] | None,
) -> bool:
    """Wait for the end, and bring it about when it is time; tell whether it was."""
    try:
        done, _ = await asyncio.wait([kept.gone], timeout=limit)
        late = not done
        if late:
            await _to_the_end(_end(kept, grace, plea), kept.kill)
    except asyncio.CancelledError:
        await _to_the_end(_end(kept, grace, plea), kept.kill)
        raise
    await kept.read_all(_LAST_WORDS)
    return late


async def _end(
    kept: "_Kept", grace: float, plea: Callable[[], Awaitable[None]] | None
) -> None:
    if plea is not None:
        with suppress(StorageError):  # told in the log; there are other ways
            await plea()
        await asyncio.wait([kept.gone], timeout=grace)
    if not kept.gone.done():
        kept.tell(b"T")
        await asyncio.wait([kept.gone], timeout=grace)
    if not kept.gone.done():
        kept.kill()
        await asyncio.wait([kept.gone], timeout=_LAST_WAIT)


async def _to_the_end(
    work: Coroutine[Any, Any, None], hurry: Callable[[], None]
) -> None:
    """Do the work though we are cancelled; being cancelled again means hurry."""
    task = asyncio.create_task(work, name="end a command")
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            hurry()
    task.result()


class _Kept:
    """A command and its keeper."""

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], folder: Path | None
    ) -> None:
        self._words = list(words)
        self._environment = dict(environment)
        self._folder = str(folder.resolve()) if folder else ""
        self._loop = asyncio.get_running_loop()
        self._reading: dict[int, Take] = {}
        self._drained = asyncio.Event()
        self._pipes: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Done when the keeper has ended, and all that it kept."""

    def start(
        self,
        take: Take,
        take_errors: Take | None,
        stdin: int,
        descriptors: Sequence[int],
    ) -> None:
        """Start it; raise StorageError."""
        control, self._control = self._pipe()
        self._status, status = self._pipe()
        output, printing = self._pipe()
        errors, complaining = (
            (output, printing) if take_errors is None else self._pipe()
        )
        command = [
            *(sys.executable, "-I", "-S", str(KEEPER)),
            *(str(control), str(status), self._folder),
            *self._words,
        ]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=printing,
                stderr=complaining,
                env=self._environment,
                pass_fds=(control, status, *descriptors),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = "it is too long" if _is_too_long(error) else str(error)
            raise StorageError(f"{self._words[0]} cannot be started: {why}") from None
        for end in {control, status, printing, complaining}:
            self._pipes.remove(end)
            os.close(end)
        self._read(output, take)
        if take_errors is not None:
            self._read(errors, take_errors)
        self._watched = os.pidfd_open(self._process.pid)
        self._pipes.append(self._watched)
        self._loop.add_reader(self._watched, self._exited)

    def tell(self, word: bytes) -> None:
        """Tell the keeper something, if it is there."""
        with suppress(BrokenPipeError):
            os.write(self._control, word)

    def kill(self) -> None:
        """Have the keeper kill everything."""
        self.tell(b"K")

    async def read_all(self, seconds: float) -> None:
        """Read what is still in the pipes."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._drained.wait(), seconds)
        # This process may have stood still for all of that time.
        for descriptor in list(self._reading):
            for _ in range(_FULL_PIPE):
                if descriptor not in self._reading or not self._readable(descriptor):
                    break

    def result(self, *, late: bool) -> Ended:
        """Return what the keeper told; raise StorageError if it could not start."""
        said = os.read(self._status, _CHUNK) if self.gone.done() else b""
        if not said:
            raise StorageError(
                f"{self._words[0]} was lost sight of: its keeper is gone"
            )
        told = msgspec.json.decode(said, type=_Told)
        if told.error is not None:
            raise StorageError(f"{self._words[0]} cannot be started: {told.error}")
        return Ended(
            told.code, told.left, told.writing, late, cut=not self._drained.is_set()
        )

    def close(self) -> None:
        """Let go of everything; what should still be there loses its keeper."""
        if self._process is not None and not self.gone.done():
            self._process.kill()
            self._process.wait()
        for descriptor in list(self._reading):
            self._loop.remove_reader(descriptor)
        if self._process is not None:
            self._loop.remove_reader(self._watched)
        for descriptor in self._pipes:
            os.close(descriptor)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self._pipes += ends
        return ends

    def _read(self, descriptor: int, take: Take) -> None:
        os.set_blocking(descriptor, False)
        self._reading[descriptor] = take
        self._loop.add_reader(descriptor, self._readable, descriptor)

    def _readable(self, descriptor: int) -> bool:
        """Read once; tell whether there was anything."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._reading[descriptor](data)
            return True
        self._loop.remove_reader(descriptor)
        del self._reading[descriptor]
        if not self._reading:
            self._drained.set()
        return False

    def _exited(self) -> None:
        self._loop.remove_reader(self._watched)
        cast("subprocess.Popen[bytes]", self._process).wait()
        self.gone.set_result(None)


def _is_too_long(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == errno.E2BIG
