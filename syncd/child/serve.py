"""Gives content to other children, and to the parent: descriptors or bytes."""

import asyncio
import os
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from syncd.child.frames import Frames, frame, received
from syncd.child.readings import Readings
from syncd.drivers.contract import Can
from syncd.errors import BadRequest, NotFound, StorageChanged, StorageError
from syncd.wire import FETCH_MOST, Chunk, End, Fetch, Fetched, Stream, decode_asked

if TYPE_CHECKING:
    from syncd.child.link import Log
    from syncd.drivers.contract import Driver, Opening

NO_DESCRIPTORS = "no descriptors"
"""The trouble of a storage whose files cannot be opened: ask for a Stream."""

T = TypeVar("T")

_CREDENTIALS = struct.Struct("3i")


class _Ending(Exception):
    """The loop does nothing any more for who serves a caller."""


class Server:
    """Listens on a Unix socket; every caller has a thread of its own.

    Opening files blocks, and passing descriptors is not for a loop's streams;
    chunks are read on the loop, one at a time, as the caller takes them, and once for
    all callers that want the same. A file that can be opened is copied by each caller:
    there it is the kernel that reads the disk once.
    """

    def __init__(
        self,
        driver: "Driver",
        path: Path,
        touched: Callable[[str], None],
        log: "Log",
    ) -> None:
        """Listen on the path; ``touched`` is told of paths that have changed."""
        self._driver = driver
        self.readings = Readings(driver)
        self._opening = (
            cast("Opening", driver) if Can.DESCRIPTORS in type(driver).can else None
        )
        self._touched = touched
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._callers: set[socket.socket] = set()
        self._lock = threading.Lock()
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.listen(64)
        self._start(self._accept, self._socket)

    def close(self) -> None:
        """Hang up on everybody."""
        with self._lock:
            callers = [self._socket, *self._callers]
        for one in callers:
            # Only this wakes a thread that waits in accept or recv.
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._socket.close()

    def _start(self, work: Callable[[socket.socket], None], on: socket.socket) -> None:
        threading.Thread(target=work, args=(on,), daemon=True, name="serve").start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                caller, _ = listening.accept()
            except OSError:
                return
            if _uid(caller) != os.getuid():
                caller.close()
                continue
            with self._lock:
                self._callers.add(caller)
            self._start(self._serve, caller)

    def _serve(self, caller: socket.socket) -> None:
        frames = Frames()
        try:
            while body := received(frames, lambda: caller.recv(1 << 16)):
                self._answer(caller, body)
        except (OSError, BadRequest, msgspec.DecodeError, _Ending):
            pass  # It went away, does not speak our language, or we end.
        finally:
            with self._lock:
                self._callers.discard(caller)
            caller.close()

    def _answer(self, caller: socket.socket, body: bytes) -> None:
        asked = decode_asked(body)
        if isinstance(asked, Fetch):
            self._fetch(caller, asked)
        else:
            self._stream(caller, asked)

    def _fetch(self, caller: socket.socket, asked: Fetch) -> None:
        if len(asked.files) > FETCH_MOST:
            raise BadRequest(f"{len(asked.files)} files at once")
        if self._opening is None:
            trouble: list[str | None] = [NO_DESCRIPTORS] * len(asked.files)
            caller.sendall(frame(Fetched(trouble)))
            return
        opened = self._open(self._opening, asked)
        descriptors = [one for one in opened if isinstance(one, int)]
        try:
            trouble = [None if isinstance(o, int) else str(o) for o in opened]
            _send(caller, frame(Fetched(trouble)), descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        for (path, _), one in zip(asked.files, opened, strict=True):
            if isinstance(one, StorageChanged):
                self._changed(path)

    def _open(self, opening: "Opening", asked: Fetch) -> list[int | StorageError]:
        try:
            return opening.open_files(asked.files)
        except StorageError as error:
            return [error] * len(asked.files)

    def _stream(self, caller: socket.socket, asked: Stream) -> None:
        chunks = self.readings.read(asked.path, asked.stamp, asked.start, asked.length)
        end = End()
        try:
            while (chunk := self._on_loop(_next(chunks))) is not None:
                caller.sendall(frame(Chunk(chunk)))
        except StorageError as error:
            end = End(str(error), self._name_of(error, asked.path))
        finally:
            self._on_loop(_close(chunks))
        caller.sendall(frame(end))

    def _name_of(self, error: StorageError, path: str) -> str:
        if not isinstance(error, StorageChanged):
            return type(error).__name__
        self._changed(path)
        (seen,) = self._on_loop(self._driver.look([path]))
        return (NotFound if seen is None else StorageChanged).__name__

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError as error:
            work.close()
            raise _Ending("the loop is closed") from error
        try:
            return waiting.result()
        except CancelledError as error:
            raise _Ending("the loop is ending") from error

    def _changed(self, path: str) -> None:
        self._loop.call_soon_threadsafe(self._touched, path)


def _send(caller: socket.socket, data: bytes, descriptors: list[int]) -> None:
    sent = socket.send_fds(caller, [data], descriptors) if descriptors else 0
    caller.sendall(data[sent:])


def _uid(caller: socket.socket) -> int:
    size = _CREDENTIALS.size
    peer = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(_CREDENTIALS.unpack(peer)[1])


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)


async def _close(chunks: AsyncIterator[bytes]) -> None:
    if (close := getattr(chunks, "aclose", None)) is not None:
        await close()
