"""Events that our own renames will make, so that nobody need look because of them.

Somebody else may rename the same name at that moment. Whichever of the two events
is then overlooked, the other is told; and who looks after that sees both.
"""

import threading
from collections.abc import Iterable

End = tuple[int, bytes, int]
"""The number of a folder's watch, a name in it, and which end of a rename it is."""


class Expected:
    """The ends of renames that are under way; for any thread."""

    def __init__(self) -> None:
        self._ends: dict[End, int] = {}
        self._turn = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._ends)

    def add(self, ends: Iterable[End]) -> None:
        """Expect one event for each."""
        with self._turn:
            for end in ends:
                self._ends[end] = self._ends.get(end, 0) + 1

    def take(self, end: End) -> bool:
        """Tell whether such an event was expected; it then is once less."""
        with self._turn:
            return self._drop(end)

    def cancel(self, ends: Iterable[End]) -> None:
        """Expect them no longer, as far as they have not come."""
        with self._turn:
            for end in ends:
                self._drop(end)

    def clear(self) -> None:
        """Expect nothing any more: what was to come may have been lost."""
        with self._turn:
            self._ends.clear()

    def _drop(self, end: End) -> bool:
        number = self._ends.get(end, 0)
        if number > 1:
            self._ends[end] = number - 1
        elif number:
            del self._ends[end]
        return number > 0
