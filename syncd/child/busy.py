"""The paths that orders are working on: whatever happens there is looked at later."""

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from syncd.drivers.contract import Event, What

if TYPE_CHECKING:
    from collections.abc import Iterator


class Busy:
    """Keeps events for busy paths until they are free."""

    def __init__(self, tell: Callable[[list[Event]], None]) -> None:
        self._tell = tell
        self._paths: dict[str, int] = {}
        self._off: dict[str, What] = {}
        self._since: set[str] = set()

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    @contextmanager
    def working(self, paths: Iterable[str]) -> "Iterator[None]":
        """Hold the paths; what was put off meanwhile is told at the end."""
        held = list(paths)
        for path in held:
            self._paths[path] = self._paths.get(path, 0) + 1
        self._since.update(held)
        try:
            yield
        finally:
            free = [path for path in held if self._let_go(path)]
            off = [Event(p, self._off.pop(p)) for p in free if p in self._off]
            if off:
                self._tell(off)

    def put_off(self, event: Event) -> bool:
        """Tell whether the path is busy; the event then comes again later."""
        if event.path not in self._paths:
            return False
        before = self._off.get(event.path, event.what)
        self._off[event.path] = before | event.what
        return True

    def begin_look(self) -> None:
        """Remember, from now on, which paths become busy."""
        self._since.clear()

    def is_spoiled(self, path: str) -> bool:
        """Tell whether what was seen of the path may be from before our own work.

        If so, it will be told as closed again, at once or when it is free.
        """
        event = Event(path, What.CLOSED)
        if self.put_off(event):
            return True
        if path in self._since:
            self._tell([event])
            return True
        return False

    def _let_go(self, path: str) -> bool:
        self._paths[path] -= 1
        if self._paths[path]:
            return False
        del self._paths[path]
        return True
