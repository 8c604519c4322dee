"""The line to every child: one ZeroMQ socket, watched by the loop itself.

A plain ROUTER with its descriptor on the loop has about a sixth less latency
than zmq.asyncio. Its descriptor only tells that something has changed, so the
socket is read until it is empty, and looked at again after each send.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import msgspec
import structlog
import zmq

from syncd import clock, wire

WAITING = 200
"""Frames that may wait per child and direction; more make send answer False."""
BURST = 64
"""Frames taken in one turn of the loop, at most."""
BURST_SECONDS = 0.005
LARGEST = 64 << 20
"""Bytes of one frame, at most; who sends more is disconnected."""

log = structlog.get_logger()


class Links:
    """Takes frames from children, gives them frames, and never waits for one.

    ``heard`` is told the entry, the process id the kernel vouches for (None
    where it cannot) and the message. What makes no sense is logged and dropped.
    """

    def __init__(
        self,
        path: Path,
        context: "zmq.Context[Any]",
        names: Iterable[str],
        heard: Callable[[str, int | None, wire.Up], None],
    ) -> None:
        self._path = path
        self._context = context
        self._names = {name.encode(): name for name in names}
        self._heard = heard
        self._dropped = 0
        self._coming: asyncio.Handle | None = None

    def admit(self, name: str) -> None:
        """Hear a child of that name from now on."""
        self._names[name.encode()] = name

    def dismiss(self, name: str) -> None:
        """Hear nobody of that name any more."""
        self._names.pop(name.encode(), None)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.SNDHWM, WAITING)
        self._socket.set(zmq.RCVHWM, WAITING)
        self._socket.set(zmq.MAXMSGSIZE, LARGEST)
        # Say so when nobody is there, and let a new child take the place of a
        # dead one whose end of the line is not noticed yet.
        self._socket.set(zmq.ROUTER_MANDATORY, 1)
        self._socket.set(zmq.ROUTER_HANDOVER, 1)
        self._socket.bind(f"ipc://{self._path}")
        self._path.chmod(0o600)
        self._loop.add_reader(self._socket.get(zmq.FD), self._readable)
        self._soon()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._loop.remove_reader(self._socket.get(zmq.FD))
        if self._coming is not None:
            self._coming.cancel()
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def send(self, name: str, message: wire.Down) -> bool:
        """Send the message; False if the child is not there or takes no more."""
        try:
            self._socket.send_multipart(
                [name.encode(), wire.encode(message)], zmq.NOBLOCK
            )
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            return False
        finally:
            # Sending may have swallowed the sign that something came in.
            if self._socket.get(zmq.EVENTS) & zmq.POLLIN:
                self._soon()
        return True

    def _soon(self) -> None:
        if self._coming is None:
            self._coming = self._loop.call_soon(self._read)

    def _readable(self) -> None:
        if self._coming is None:
            self._read()

    def _read(self) -> None:
        """Take what came in, but leave the loop to others after a while."""
        self._coming = None
        empty = False
        until = clock.monotonic() + BURST_SECONDS
        try:
            for _ in range(BURST):
                frames = self._receive()
                if empty := frames is None:
                    return
                self._take(frames)
                if clock.monotonic() > until:
                    return
        finally:
            if not empty:
                self._soon()

    def _receive(self) -> Any:
        try:
            return self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None

    def _take(self, frames: Any) -> None:
        name = self._names.get(frames[0].bytes)
        if name is None or len(frames) != 2:
            self._drop(frames[0].bytes, "from nobody we know")
            return
        try:
            message = wire.decode_up(frames[1].bytes)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            self._drop(name, str(error))
            return
        self._heard(name, _peer(frames[1]), message)

    def _drop(self, sender: bytes | str, reason: str) -> None:
        """Log what is dropped, but not all of a flood."""
        self._dropped += 1
        if self._dropped % 100 == 1:
            log.warning(
                "frame dropped", sender=sender, reason=reason, dropped=self._dropped
            )


def path_in(run: Path) -> Path:
    """Return where to bind, other for every daemon, and clear what others left.

    So a child that outlives its daemon cannot speak to the next one.
    """
    for old in run.glob("link-*"):
        with suppress(OSError):
            old.unlink()
    return run / f"link-{os.getpid()}"


def _peer(frame: Any) -> int | None:
    """Return the id of the process that a frame came from, as the kernel says."""
    with suppress(zmq.ZMQError, KeyError, ValueError):
        _, uid, gid, pid = frame.get("Peer-Address").rsplit(":", 3)
        return int(pid) if uid.isdigit() and gid.isdigit() else None
    return None
