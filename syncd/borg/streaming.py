"""Takes what Borg lists, piece by piece, and hands on items."""

from collections.abc import Callable

from syncd.core.borg.listing import Item, Reader


class Stream:
    """Called by the loop, to which nothing may be raised: errors wait for the end."""

    def __init__(self, give: Callable[[list[Item]], None]) -> None:
        self._give = give
        self._reader = Reader()
        self._error: Exception | None = None
        self.items = 0

    def take(self, data: bytes) -> None:
        """Take what was printed next; after an error, nothing any more."""
        if self._error is not None:
            return
        try:
            items = self._reader.feed(data)
            self.items += len(items)
            self._give(items)
        except Exception as error:  # noqa: BLE001 - raised at the end
            self._error = error

    def end(self) -> None:
        """Raise what went wrong: StorageError, or what was raised by who took items."""
        if self._error is not None:
            raise self._error
        self._reader.end()
