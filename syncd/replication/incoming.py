"""What entries say, on its way into the index: what goes into one transaction."""

from collections.abc import Iterable

from syncd import wire
from syncd.core.file import Slot
from syncd.replication.batch import News, Reported

MOST = 1000
"""Changes and results that go into one transaction."""

Greeting = wire.Hello | wire.Walked | wire.Looked
Incoming = News | tuple[Slot, Greeting]


def reported(slot: Slot, message: wire.Changes) -> Reported:
    """Return an entry's changes as the index takes them."""
    return Reported(
        slot=slot,
        number=message.number,
        changes=message.changes,
        at=message.at,
        ahead=message.ahead,
        more=message.more,
        ordered=message.ordered,
    )


def together(waiting: Iterable[Incoming]) -> list[News]:
    """Return the first of what waits that can go into the next transaction.

    What a person ordered is no business of guards, and does not mix.
    """
    news: list[News] = []
    size = 0
    for one in waiting:
        if isinstance(one, tuple) or size >= MOST:
            break
        if news and is_ordered(one) != is_ordered(news[0]):
            break
        news.append(one)
        size += len(one.changes if isinstance(one, Reported) else one.results)
    return news


def is_ordered(news: News) -> bool:
    """Tell whether a person had syncd make the changes."""
    return isinstance(news, Reported) and news.ordered
