"""Gets the contents of Puts from their sources and has the driver write them."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from syncd.child.fetch import NoDescriptors, NotGiven, Sources
from syncd.core.change import Put, Source
from syncd.core.file import Kind, Stamp
from syncd.drivers.contract import Content, Rest, Writing, Written
from syncd.errors import StorageBusy, StorageChanged, StorageError
from syncd.wire import FETCH_MOST

if TYPE_CHECKING:
    from syncd.drivers.contract import Driver

MOST = 500
"""Files written, and made durable, at once ..."""

MOST_BYTES = 64 << 20
"""... and about how many bytes."""

Result = Written | StorageError
Progress = Callable[[int, int], None]


class _Try(Struct, gc=False):
    """One Put on its way through its sources."""

    put: Put
    result: Result
    asked: int = 0
    """How many of its sources were asked."""
    content: Content | None = None
    stamp: Stamp | None = None
    """What an open content must have, still when it was read."""
    rest: Rest | None = None


def is_about_source(error: StorageError) -> bool:
    """Tell whether it was a source that failed, and not the target."""
    return str(error).startswith("source")


def portions(puts: Sequence[Put]) -> Iterator[list[Put]]:
    """Cut the puts into portions that are written at once."""
    portion: list[Put] = []
    size = 0
    for put in puts:
        if len(portion) == MOST or (portion and size + put.size > MOST_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(put)
        size += put.size
    if portion:
        yield portion


async def write_contents(
    driver: "Driver", sources: Sources, own: str, puts: Sequence[Put], tell: Progress
) -> list[Result]:
    """Carry out Puts of folders and files.

    A source that fails is followed by the next.
    """
    none = StorageBusy("source: there is none")
    tries = [_Try(put, none) for put in puts]
    folders = [one for one in tries if one.put.kind is Kind.DIRECTORY]
    while (left := [one for one in tries if _goes_on(one, own)]) or folders:
        try:
            await _fetch(sources, left)
            ready = [one for one in left if one.content is not None]
            await _write(driver, _by_path([*folders, *ready]), tell)
            folders = []
        finally:
            for one in left:
                if isinstance(one.content, int):
                    os.close(one.content)
                one.content = one.stamp = one.rest = None
    return [one.result for one in tries]


def _by_path(tries: list[_Try]) -> list[_Try]:
    """Return them so that folders come before what lies in them."""
    return sorted(tries, key=lambda one: one.put.path)


def _goes_on(one: _Try, own: str) -> bool:
    """Tell whether there is a source to be asked; what we are ourselves is none."""
    if isinstance(one.result, Written) or not is_about_source(one.result):
        return False
    sources = one.put.sources
    while one.asked < len(sources) and sources[one.asked].entry == own:
        one.asked += 1
    return one.asked < len(sources)


async def _fetch(sources: Sources, tries: list[_Try]) -> None:
    """Give each its content from its best source left, or the trouble as result."""
    by_entry: dict[str, list[_Try]] = {}
    for one in tries:
        entry = one.put.sources[one.asked].entry
        by_entry.setdefault(entry, []).append(one)
    for entry, some in by_entry.items():
        for start in range(0, len(some), FETCH_MOST):
            await _fetch_from(sources, entry, some[start : start + FETCH_MOST])


async def _fetch_from(sources: Sources, entry: str, tries: list[_Try]) -> None:
    from_here = [one.put.sources[one.asked] for one in tries]
    wanted = [(source.path, source.stamp) for source in from_here]
    given = await sources.fetch(entry, wanted)
    for one, content in zip(tries, given, strict=True):
        those = one.put.sources[one.asked :]
        one.asked += 1
        if isinstance(content, NoDescriptors):
            one.content = partial(_relayed, sources, one.put, those)
        elif isinstance(content, NotGiven):
            one.result = StorageBusy(f"source {entry}: {content}")
        else:
            one.content, one.stamp = content, those[0].stamp
            if len(those) > 1:
                one.rest = partial(_relayed, sources, one.put, those[1:])


async def _relayed(
    sources: Sources, put: Put, those: Sequence[Source], position: int = 0
) -> AsyncIterator[bytes]:
    """Give a content from the position on; where one source stops, the next goes on.

    What came from a source that stopped is used only if the whole is verified in the
    end, and never if that source has changed: raise its StorageError then.
    """
    stopped: StorageError = StorageBusy("there is no other source")
    for source in those:
        begin, known = position, (source.entry, source.path, source.stamp)
        try:
            async for chunk in sources.stream(*known, start=position):
                if position == begin and begin:
                    sources.tell_relay(put, source, begin)
                position += len(chunk)
                yield chunk
        except StorageError as error:
            stopped = error
            if not position or (position > begin and _is_spoiled(put, error)):
                raise
        else:
            return
    raise stopped


def _is_spoiled(put: Put, error: StorageError) -> bool:
    return put.digest is None or isinstance(error, StorageChanged)


async def _write(driver: "Driver", tries: list[_Try], tell: Progress) -> None:
    if not tries:
        return
    items = [Writing(one.put, one.content, one.stamp, one.rest) for one in tries]
    results = await driver.write(items, tell)
    for one, result in zip(tries, results, strict=True):
        one.result = result
