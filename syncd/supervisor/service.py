"""What we tell systemd: ready, alive, stopping."""

import asyncio
import os
from collections.abc import Mapping
from typing import Self

import sdnotify


class Service:
    """Tells systemd, where there is one, how the daemon is doing.

    The signs of life come from the loop, so that they stop when it hangs. Says
    that the daemon is stopping when it is left, at the latest.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._notifier = None
        if environment.get("NOTIFY_SOCKET"):
            self._notifier = sdnotify.SystemdNotifier()
        self._interval = _interval(environment)
        self._stopping = False

    async def __aenter__(self) -> Self:
        if self._notifier is not None and self._notifier.socket is not None:
            self._notifier.socket.setblocking(False)
        self._heart = asyncio.create_task(self._beat(), name="systemd watchdog")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopping()
        self._heart.cancel()
        await asyncio.wait([self._heart])
        if self._notifier is not None and self._notifier.socket is not None:
            self._notifier.socket.close()

    def ready(self) -> None:
        """Say that the daemon does its work now."""
        self._tell("READY=1")

    def status(self, text: str) -> None:
        """Say in a line what the daemon is at; ``systemctl status`` shows it."""
        self._tell("STATUS=" + " ".join(text.split()))

    def stopping(self) -> None:
        """Say that the daemon is about to end."""
        if not self._stopping:
            self._stopping = True
            self._tell("STOPPING=1")

    async def _beat(self) -> None:
        while self._interval:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self._interval)

    def _tell(self, text: str) -> None:
        if self._notifier is not None:
            # It would write Latin-1, and drop what is not; systemd reads UTF-8.
            self._notifier.notify(text.encode(errors="replace").decode("latin-1"))


def _interval(environment: Mapping[str, str]) -> float:
    """Return the seconds between two signs of life; 0 if nobody waits for them."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    wanted = environment.get("WATCHDOG_USEC", "")
    return int(wanted) / 2e6 if wanted.isdecimal() else 0.0
