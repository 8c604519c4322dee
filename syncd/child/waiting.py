"""Orders that wait for their turn: one for a path, small and large ones apart."""

from collections.abc import Iterator

from syncd.core.change import Amend, Delete, Inspect, Order, Put, SetAside
from syncd.core.file import Kind

LARGE = 8 << 20
"""Bytes above which a content is worked on alone, so that nothing waits for it."""


def is_large(order: Order) -> bool:
    """Tell whether carrying the order out means handling a large content."""
    if isinstance(order, Put):
        plain = order.kind is Kind.FILE and order.hint is None
        return plain and order.size > LARGE
    return isinstance(order, Inspect) and order.stamp.size > LARGE


class Waiting:
    """Gives out orders, at any time at most one for a path."""

    def __init__(self) -> None:
        self._small: dict[str, Order] = {}
        self._large: dict[str, Order] = {}
        self._running: dict[str, Order] = {}
        self._renamed: set[str] = set()

    def __iter__(self) -> Iterator[Order]:
        """Give every order that is not done."""
        for orders in (self._running, self._small, self._large):
            yield from orders.values()

    def add(self, order: Order) -> Order | None:
        """Let the order wait; return the older one for the path that it replaces."""
        small, large = (
            self._small.pop(order.path, None),
            self._large.pop(order.path, None),
        )
        (self._large if is_large(order) else self._small)[order.path] = order
        return small or large

    def running(self, path: str) -> Order | None:
        """Return the order for the path that is being carried out."""
        return self._running.get(path)

    def take_small(self, most: int) -> list[Order]:
        """Return small orders that may be carried out now."""
        return self._take(self._small, most)

    def take_large(self) -> Order | None:
        """Return a large order that may be carried out now."""
        return next(iter(self._take(self._large, 1)), None)

    def done(self, order: Order) -> None:
        """Let go of an order that was taken."""
        del self._running[order.path]
        self._renamed.difference_update(_renamed(order))

    def _take(self, waiting: dict[str, Order], most: int) -> list[Order]:
        taken: list[Order] = []
        for path, order in waiting.items():
            if len(taken) == most:
                break
            if path not in self._running and path not in self._renamed:
                taken.append(order)
        for order in taken:
            del waiting[order.path]
            self._running[order.path] = order
            self._renamed.update(_renamed(order))
        return taken


def _renamed(order: Order) -> list[str]:
    """Return the path that carrying out the order may rename away from."""
    if isinstance(order, Put) and order.hint is not None:
        return [order.hint[0]]
    return []


def in_turn(orders: list[Order]) -> list[list[Order]]:
    """Return the orders in groups of one kind, to be carried out one after another.

    What is renamed comes before all that could be in its way or take it away;
    folders are written together with the files in them; deletions come last, and
    from below.
    """
    groups: dict[int, list[Order]] = {}
    for order in orders:
        groups.setdefault(_turn(order), []).append(order)
    for turn, group in groups.items():
        group.sort(key=lambda order: order.path, reverse=turn == _DELETE)
    return [groups[turn] for turn in sorted(groups)]


_DELETE = 9
_KIND = {Kind.DIRECTORY: 1, Kind.FILE: 1, Kind.LINK: 3}
_OTHERS: dict[type, int] = {Amend: 4, SetAside: 5, Inspect: 6, Delete: _DELETE}


def _turn(order: Order) -> int:
    if isinstance(order, Put):
        return _KIND[order.kind] if order.hint is None else 0
    return _OTHERS[type(order)]
