"""A session with ZooKeeper on an event loop, over kazoo's threads."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from select import select
from typing import Any, Self

from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    ConnectionClosedError,
    ConnectionLoss,
    KazooException,
    NoAuthError,
    NoNodeError,
    OperationTimeoutError,
    SessionExpiredError,
    UnimplementedError,
    ZookeeperError,
)
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.protocol.connection import ConnectionDropped
from kazoo.protocol.states import KazooState
from kazoo.retry import KazooRetry

from syncd.backup_sources.zookeeper import asking
from syncd.backup_sources.zookeeper.nodes import Stat
from syncd.errors import ConfigError, StorageError

LOST = (
    ConnectionLoss,
    ConnectionClosedError,
    ConnectionDropped,
    OperationTimeoutError,
    SessionExpiredError,
)
"""Nobody knows whether what was asked has been done."""

_PORTIONS = 4

__all__ = ["LOST", "NoAuthError", "NoNodeError", "Session", "ZookeeperError"]


class Session:
    """One session; see ``ask``. An async context manager, which raises StorageError."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._client = client(options)
        self._connected = asyncio.Event()
        self._together = True
        self._refused = False
        self.lost = 0
        """How often the connection was lost."""

    async def __aenter__(self) -> Self:
        self._client.add_listener(self._listen)
        self._client.start_async()
        try:
            await self.connected()
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self._stop))
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(asyncio.to_thread(self._stop))

    async def connected(self) -> None:
        """Wait for the connection; raise StorageError when patience is at its end."""
        seconds = self._options["patience"]
        try:
            async with asyncio.timeout(seconds):
                await self._connected.wait()
        except TimeoutError:
            hosts = ", ".join(self._options["hosts"])
            raise StorageError(
                f"no ZooKeeper at {hosts} takes the session within {seconds:g} s"
            ) from None
        if self._refused:
            raise StorageError("ZooKeeper refuses the login; correct auth or sasl")

    @property
    def zxid(self) -> int:
        """Return the last transaction that this session has seen."""
        return int(self._client.last_zxid or 0)

    async def identify(self, scheme: str, credential: str) -> None:
        """Log in once more, now and after every reconnection."""
        self._client.auth_data.add((scheme, credential))
        await self.ask(lambda: asking.login(scheme, credential))

    async def send(self, request: Any) -> Any:
        """Return the answer to a request that is sent at once, and once.

        Raise what the servers, or kazoo, have against it; StorageError when they are
        gone for longer than patience.
        """
        (answer,) = await self.answers(self.send_all([request]))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def send_all(self, requests: Sequence[Any]) -> asyncio.Future[list[Any]]:
        """Send requests at once; the future has the answers, errors among them."""
        together = _Together(self._loop, len(requests))
        for number, request in enumerate(requests):
            self._client._call(request, _Sink(together, number))
        return together.future

    async def answers(self, future: asyncio.Future[list[Any]]) -> list[Any]:
        """Return what is answered, however long that takes while there is a connection.

        What is asked just when that is lost, kazoo keeps for the next one: for ever.
        Raise StorageError when there is none for longer than patience.
        """
        while True:
            done, _ = await asyncio.wait([future], timeout=self._options["patience"])
            if done:
                return future.result()
            await self.connected()

    async def ask(self, make: Callable[[], Any]) -> Any:
        """Return the answer to a request that may be repeated without harm.

        It is, when the connection is lost. Raise kazoo's errors for what the servers
        refuse, StorageError when they are gone for longer than patience.
        """
        while True:
            await self.connected()
            try:
                return await self.send(make())
            except LOST:
                await self.pause()

    async def each(
        self, requests: Iterable[tuple[Any, Any]], window: int
    ) -> AsyncIterator[tuple[Any, Any]]:
        """Give the answers to (key, request) in order, or the errors as values.

        So many are under way at once. For requests that may be repeated. They are sent
        some together, as it is the way between two threads that takes the time.
        """
        under_way: deque[tuple[list[tuple[Any, Any]], asyncio.Future[list[Any]]]]
        under_way = deque()
        source = iter(requests)
        portion = max(1, window // _PORTIONS)
        while True:
            while len(under_way) < _PORTIONS and (some := [*islice(source, portion)]):
                requested = [request for _, request in some]
                under_way.append((some, self.send_all(requested)))
            if not under_way:
                return
            some, future = under_way.popleft()
            for (key, request), answer in zip(
                some, await self.answers(future), strict=True
            ):
                if isinstance(answer, LOST):
                    await self.pause()
                    yield key, await self._again(request)
                else:
                    yield key, answer

    async def _again(self, request: Any) -> Any:
        try:
            return await self.ask(lambda: request)
        except ZookeeperError as error:
            return error

    async def read(self, paths: list[str]) -> list[tuple[bytes | None, Stat] | Any]:
        """Return data and stat of some nodes, or errors, together where servers can."""
        if not paths:
            return []
        if self._together:
            request = asking.Reads([asking.data(path) for path in paths])
            try:
                answers = await self.ask(lambda: request)
            except UnimplementedError:
                self._together = False
            else:
                return [_stat(one) for one in answers]
        some = ((path, asking.data(path)) for path in paths)
        return [_stat(one) async for _, one in self.each(some, len(paths))]

    async def sync(self) -> None:
        """Have the member that is read catch up with the leader."""
        await self.ask(lambda: asking.sync("/"))

    async def pause(self) -> None:
        """Wait for the next connection, after the last was lost; raise as it does."""
        # The listener may not have heard of the loss yet.
        await asyncio.sleep(0.01)
        await self.connected()

    def _listen(self, state: str) -> None:
        self._loop.call_soon_threadsafe(self._changed, state)

    def _changed(self, state: str) -> None:
        if state == KazooState.CONNECTED:
            self._connected.set()
            return
        self._connected.clear()
        self.lost += 1
        if self._client.client_state == "AUTH_FAILED":
            self._refused = True
            self._connected.set()

    def _stop(self) -> None:
        self._client.stop()
        self._client.close()


class _Together:
    """Answers that are waited for together; kazoo's thread brings them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        self.future: asyncio.Future[list[Any]] = loop.create_future()
        self._loop = loop
        self._answers: list[Any] = [_Together] * count
        self._there: list[int] = []

    def take(self, number: int, answer: Any) -> None:
        """Take an answer; the first counts."""
        if self._answers[number] is not _Together:
            return
        self._answers[number] = answer
        self._there.append(number)
        if len(self._there) == len(self._answers):
            with suppress(RuntimeError):  # The loop is closed, and nobody waits.
                self._loop.call_soon_threadsafe(self._done)

    def _done(self) -> None:
        if not self.future.done():
            self.future.set_result(self._answers)


class _Sink:
    """Where kazoo puts one answer."""

    __slots__ = ("_number", "_together")

    def __init__(self, together: _Together, number: int) -> None:
        self._together = together
        self._number = number

    def set(self, value: Any = None) -> None:
        self._together.take(self._number, value)

    def set_exception(self, error: Exception) -> None:
        self._together.take(self._number, error)


class _Handler(SequentialThreadingHandler):  # type: ignore[misc, unused-ignore]
    """Waits for sockets with select: kazoo's own way makes an epoll for every byte."""

    def select(self, *sockets: Any, **more: Any) -> Any:
        """Return what can be read and written."""
        try:
            return select(*sockets, **more)
        except ValueError:  # A number beyond those that select knows.
            return super().select(*sockets, **more)


def client(options: Mapping[str, Any]) -> KazooClient:
    """Return an unstarted client; raise ConfigError for options it refuses."""
    sasl, tls = options["sasl"], options["tls"]
    retry = KazooRetry(max_tries=-1, delay=0.05, backoff=2, max_delay=1.0)
    log = logging.getLogger("kazoo.quiet")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    log.setLevel(logging.CRITICAL + 1)
    said: dict[str, Any] = {}
    if sasl is not None:
        said["sasl_options"] = {
            "mechanism": sasl["mechanism"],
            "service": sasl["service"],
            **({"username": sasl["username"]} if sasl["username"] else {}),
            **({"password": sasl["password"]} if sasl["password"] else {}),
        }
    if tls is not None:
        said |= {
            "use_ssl": True,
            "ca": tls["ca"],
            "certfile": tls["certificate"],
            "keyfile": tls["key"],
            "keyfile_password": tls["key_password"],
            "verify_certs": tls["verify"],
            "check_hostname": tls["check_hostname"] and tls["verify"],
        }
    try:
        return KazooClient(
            hosts=",".join(options["hosts"]),
            timeout=options["session_timeout"],
            auth_data=[(one["scheme"], one["credential"]) for one in options["auth"]],
            connection_retry=retry,
            logger=log,
            handler=_Handler(),
            **said,
        )
    except (KazooException, ValueError, TypeError) as error:
        raise ConfigError(f"kazoo does not take these options: {error}") from None


def why(error: Exception) -> str:
    """Return what an error of ZooKeeper's means, for people."""
    if isinstance(error, NoAuthError):
        return "this login may not do that (NoAuth)"
    if isinstance(error, AuthFailedError):
        return "ZooKeeper refuses the login"
    name = type(error).__name__.removesuffix("Error")
    words = str(error)
    return f"{name}: {words}" if words else name


def _stat(answer: Any) -> Any:
    if isinstance(answer, tuple):
        return answer[0], Stat(*answer[1])
    return answer
