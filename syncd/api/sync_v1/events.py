"""Events: what happens, as it happens (server-sent events)."""

import asyncio
from contextlib import aclosing
from http import HTTPStatus

from tornado.iostream import StreamClosedError

from syncd import clock
from syncd.api.handler import Handler, Route
from syncd.api.operation import Word, on

HEARTBEAT = 15.0
"""Seconds after which a silent stream says that it is still there."""

PATIENCE = 30.0
"""Seconds a listener may take to accept what was sent; then it is dropped."""


class Events(Handler):
    """The stream of events."""

    @on(
        "GET",
        query=(Word("last_event_id", "Go on after this event (or Last-Event-ID)."),),
        errors=[HTTPStatus.SERVICE_UNAVAILABLE],
        content={"text/event-stream": {"type": "string"}},
    )
    async def follow(self) -> None:
        """Follow changes, transfers, conflicts and entry states as they happen.

        A stream that begins with the event ``reset`` could not go on where it
        was: whoever keeps a picture of the whole should make it anew.
        """
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        if self.request.method == "HEAD":
            return None
        after = self.request.headers.get("Last-Event-ID") or self.given["last_event_id"]
        async with aclosing(self.desk.rooms.news.stream(after, HEARTBEAT)) as frames:
            checked = clock.monotonic()
            async for frame in frames:
                if clock.monotonic() - checked >= HEARTBEAT:
                    if not await self.is_welcome():
                        return self.hang_up()
                    checked = clock.monotonic()
                if not await self._sent(frame):
                    return None
        return None

    async def _sent(self, frame: bytes) -> bool:
        """Send it, and tell whether the listener took it in time."""
        try:
            self.write(frame)
            async with asyncio.timeout(PATIENCE):
                await self.flush()
        except (StreamClosedError, TimeoutError):
            self.hang_up()
            return False
        return True


ROUTES: list[Route] = [("/events", Events)]
