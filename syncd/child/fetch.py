"""Asks other children for content: as descriptors, or as chunks."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from syncd import clock
from syncd.child.frames import Frames, frame
from syncd.child.serve import NO_DESCRIPTORS
from syncd.core.change import Put, Source
from syncd.core.file import Stamp
from syncd.core.path import readable
from syncd.errors import BadRequest, StorageBusy, StorageChanged
from syncd.wire import (
    FETCH_MOST,
    Asked,
    Chunk,
    Fetch,
    Fetched,
    Given,
    Stream,
    decode_given,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncd.child.link import Log

PATIENCE = 30.0
"""Seconds without an answer after which a source counts as lost."""

IDLE = 10.0
"""Seconds an unused connection is kept."""

_AT_ONCE = 1 << 18
_ROOM = socket.CMSG_SPACE(FETCH_MOST * 4)


class NotGiven(Exception):
    """A source could not give a content; another one may."""


class NoDescriptors(NotGiven):
    """The source's contents come only as chunks."""


class _Connection:
    """One socket to one serving child; one question at a time."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._frames = Frames()
        self._descriptors: list[int] = []
        self.used = clock.monotonic()

    async def open(self) -> None:
        """Connect; an OSError says that nobody serves there."""
        await self._loop.sock_connect(self._socket, str(self._path))

    async def ask(self, asked: Asked) -> Given:
        """Send the question and return the first answer."""
        await self._loop.sock_sendall(self._socket, frame(asked))
        return await self.answer()

    async def answer(self) -> Given:
        """Return the next answer."""
        while (body := self._frames.next()) is None:
            async with asyncio.timeout(PATIENCE):
                data = await self._receive()
            if not data:
                raise ConnectionResetError("the source hung up")
            self._frames.feed(data)
        self.used = clock.monotonic()
        return decode_given(body)

    def take_descriptors(self) -> list[int]:
        """Return the descriptors that came with the answer; the caller closes them."""
        taken, self._descriptors = self._descriptors, []
        return taken

    def is_alive(self) -> bool:
        """Tell whether the other side has not hung up while nothing was asked."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except OSError as error:
            return isinstance(error, BlockingIOError)
        return False  # An end, or bytes that nobody asked for.

    def close(self) -> None:
        """Hang up."""
        for descriptor in self.take_descriptors():
            os.close(descriptor)
        self._socket.close()

    async def _receive(self) -> bytes:
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(
                    _AT_ONCE, _ROOM, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                await self._readable()
                continue
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self._descriptors += memoryview(content).cast("i").tolist()
            return data

    async def _readable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_reader(self._socket, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_reader(self._socket)


class Sources:
    """The children that content can be had from, with connections kept for reuse."""

    def __init__(self, addresses: Mapping[str, Path], log: "Log | None" = None) -> None:
        self._addresses = addresses
        self._log = log
        self._idle: dict[str, list[_Connection]] = {}

    def close(self) -> None:
        """Hang up everywhere."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    def close_idle(self) -> None:
        """Hang up where nothing was asked for a while."""
        before = clock.monotonic() - IDLE
        for entry, connections in self._idle.items():
            for old in [c for c in connections if c.used < before]:
                old.close()
            self._idle[entry] = [c for c in connections if c.used >= before]

    async def fetch(
        self, entry: str, files: "Sequence[tuple[str, Stamp]]"
    ) -> "list[int | NotGiven]":
        """Return an open descriptor for each file.

        At most FETCH_MOST at a time. The caller closes them, and looks whether they
        still have their stamps when it has read what it wants.
        """
        try:
            async with self._connection(entry) as connection:
                given = await connection.ask(Fetch(list(files)))
                return _paired(given, files, connection.take_descriptors())
        except NotGiven as error:
            return [error] * len(files)

    def tell_relay(self, put: Put, source: Source, position: int) -> None:
        """Say that a source goes on with what another one has begun to give."""
        if self._log is not None:
            self._log.warning(
                "another source goes on",
                path=readable(put.path),
                source=source.entry,
                offset=position,
                size=put.size,
                cause=put.cause,
            )

    async def stream(
        self, entry: str, path: str, stamp: Stamp, start: int = 0
    ) -> AsyncIterator[bytes]:
        """Give the content in chunks; a StorageError says that it cannot go on."""
        try:
            async with self._connection(entry) as connection:
                given = await connection.ask(Stream(path, stamp, start))
                while isinstance(given, Chunk):
                    yield given.data
                    given = await connection.answer()
        except NotGiven as error:
            raise StorageBusy(str(error)) from error
        if isinstance(given, Fetched):
            raise StorageBusy(f"{entry} gave another answer than was asked for")
        if given.trouble is not None:
            vain = given.error in ("StorageChanged", "NotFound")
            raise (StorageChanged if vain else StorageBusy)(given.trouble)

    @asynccontextmanager
    async def _connection(self, entry: str) -> AsyncIterator[_Connection]:
        """Lend a connection; one that was not used to the end is not used again."""
        connection = await self._free(entry)
        whole = False
        try:
            yield connection
            whole = True
        except (OSError, TimeoutError, BadRequest, msgspec.DecodeError) as error:
            raise NotGiven(f"{entry}: {error or type(error).__name__}") from error
        finally:
            if whole:
                self._idle.setdefault(entry, []).append(connection)
            else:
                connection.close()

    async def _free(self, entry: str) -> _Connection:
        for connection in self._idle.pop(entry, []):
            if connection.is_alive():
                self._idle.setdefault(entry, []).append(connection)
            else:
                connection.close()
        if idle := self._idle.get(entry):
            return idle.pop()
        if entry not in self._addresses:
            raise NotGiven(f"no entry {entry}")
        connection = _Connection(self._addresses[entry])
        try:
            await connection.open()
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):
                raise NotGiven(f"{entry} does not serve: {error}") from error
            raise
        return connection


def _paired(
    given: Given, files: "Sequence[tuple[str, Stamp]]", descriptors: list[int]
) -> list[int | NotGiven]:
    """Return each file's descriptor; who reads it looks whether it has the stamp."""
    rest = iter(descriptors)
    troubles = given.trouble if isinstance(given, Fetched) else []
    if len(troubles) != len(files) or troubles.count(None) != len(descriptors):
        for descriptor in descriptors:
            os.close(descriptor)
        raise NotGiven("the source gave something else than was asked for")
    result: list[int | NotGiven] = []
    for trouble in troubles:
        if trouble is not None:
            kind = NoDescriptors if trouble == NO_DESCRIPTORS else NotGiven
            result.append(kind(trouble))
            continue
        result.append(next(rest))
    return result
