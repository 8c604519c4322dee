"""One transaction over files: read what is known, decide, write what is new.

Runs in the store's writer thread, so nobody else writes in between.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from syncd.core import comparison, damage, dispute, outcome, reconcile, work
from syncd.core.change import Change, Done, Found, Inspect, Outcome, SetAside
from syncd.core.file import File, Kind, Slot
from syncd.core.guard import Keeping, Room, keeping
from syncd.core.outcome import Issued
from syncd.core.path import fid, readable
from syncd.core.world import World
from syncd.errors import Conflict, NotFound
from syncd.store import entries, files
from syncd.store.files import Facts

PAGE = 1000
"""Files dealt with in one transaction of a walk through the index."""

PLENTY = 1_000_000_000
"""Stands for what a walk may yet find."""

CONTENTS = (Kind.FILE, Kind.LINK)


class Reported(Struct, frozen=True):
    """A numbered batch of changes of one entry."""

    slot: Slot
    number: int
    changes: Sequence[Change]
    at: float = 0.0
    """When they were noticed; seconds since 1970, 0: nobody said."""
    ahead: int = 0
    """How many more paths seem to be gone and are looked at soon."""
    more: bool = False
    """Whether they were come by in a walk that may find more."""
    ordered: bool = False
    """Whether a person had syncd make them."""


class Ended(Struct, frozen=True):
    """What came of orders of one entry; numbered like changes, 0 for no number."""

    slot: Slot
    number: int
    results: Sequence[tuple[Issued, Outcome]]


News = Reported | Ended


class Touched(Struct, frozen=True):
    """A file that a transaction dealt with: how it was and how it is."""

    before: File | None
    was: Facts | None
    after: File
    now: Facts


def counted(file: File, world: World) -> Facts:
    """Return what is counted of a file."""
    return files.facts(file, work.behind(file, world), file.disputed & world.slots)


class Batch:
    """Files read, decided on and written in one transaction."""

    def __init__(self, db: Connection, world: World, ids: "count[int]") -> None:
        self._db = db
        self._world = world
        self._ids = ids
        self._before: dict[str, tuple[File, Facts]] = {}
        self._after: dict[str, File] = {}

    def load(self, paths: Iterable[str]) -> None:
        """Read what is known of the paths; of the others nothing is."""
        self._before |= files.load(self._db, set(paths) - self._before.keys())

    def file(self, path: str) -> File:
        """Return the file as it stands in this batch."""
        if path in self._after:
            return self._after[path]
        known = self._before.get(path)
        return known[0] if known else reconcile.blank(path)

    def knows_any(self) -> bool:
        """Tell whether any of the paths was known before this batch."""
        return bool(self._before)

    def knows(self, path: str) -> bool:
        """Tell whether anything of the path was known before this batch."""
        return path in self._before

    def held_by(self, slot: Slot, path: str) -> Kind | None:
        """Return what the entry was known to have at the path before this batch."""
        known = self._before.get(path)
        if known is None or known[0].deleted or not known[0].copy(slot).present:
            return None
        return known[0].copy(slot).kind or known[0].kind

    def keep(self, file: File) -> None:
        """Let the file stand so from now on; it counts as touched in any case."""
        self._after[file.path] = file

    def save(self) -> list[Touched]:
        """Write what is new, and return everything touched, in the order of keeping."""
        touched = [self._touched(file) for file in self._after.values()]
        touched = [one for one in touched if one.after.version]
        fresh = [one for one in touched if one.before is None]
        files.add(self._db, [(one.after, one.now) for one in fresh])
        changed = [
            (one.after, one.now)
            for one in touched
            if one.before is not None
            and (one.after is not one.before or one.now != one.was)
        ]
        files.change(self._db, changed)
        return touched

    def _touched(self, file: File) -> Touched:
        before, was = self._before.get(file.path, (None, None))
        if before is None and file.version:
            file = replace(file, id=next(self._ids))
        facts = counted(file, self._world)
        return Touched(before, was, file, facts)


def take(
    db: Connection,
    news: Sequence[News],
    world: World,
    ids: "count[int]",
    rooms: Mapping[Slot, Room] = {},
) -> list[Touched]:
    """Put what entries said into the index, and return every file it was about.

    ``rooms`` says how much of that may be passed on at once.
    """
    batch = Batch(db, world, ids)
    batch.load(path for one in news for path in _paths(one))
    if rooms:
        world = replace(world, keeping=foreseen(batch, news, world, rooms))
    for one in news:
        if isinstance(one, Reported):
            _report(batch, one, world)
        else:
            _end(batch, one, world)
        if one.number:
            entries.note(db, one.slot, one.number)
    return batch.save()


def foreseen(
    batch: Batch, news: Sequence[News], world: World, rooms: Mapping[Slot, Room]
) -> Keeping:
    """Return what is to be kept, seeing how much the news are about to change."""
    deletions, overwrites = Counter[Slot](), Counter[Slot]()
    for one in news if batch.knows_any() else ():
        if isinstance(one, Ended):
            overwrites[one.slot] += sum(
                isinstance(issued.order, Inspect) for issued, _ in one.results
            )
        elif one.slot in rooms:
            gone, changed = _counted(batch, one, world)
            deletions[one.slot] += gone and gone + one.ahead + PLENTY * one.more
            overwrites[one.slot] += changed and changed + PLENTY * one.more
    return keeping(rooms, deletions, overwrites)


def judge(
    db: Connection,
    some: Sequence[tuple[File, Facts]],
    world: World,
) -> list[Touched]:
    """Give the files the owners of the rules in force; return those that changed."""
    result = []
    for file, was in some:
        # An entry that is not configured any more need not be waited for.
        after = comparison.judged(comparison.compare(file, world), world)
        now = counted(after, world)
        if after is not file or now != was:
            result.append(Touched(file, was, after, now))
    files.change(db, [(one.after, one.now) for one in result])
    return result


def relieve(
    db: Connection, slot: Slot, after: int, world: World
) -> tuple[int | None, list[Touched]]:
    """Let the entry try again now what its storage refused, in a page of files.

    Return the row to go on after (None at the end), and what changed.
    """
    page = files.blocked(db, slot, after, PAGE)
    result = []
    for file in page:
        relieved = outcome.relieved(file, slot)
        now = counted(relieved, world)
        result.append(Touched(file, now, relieved, now))
    files.change(db, [(one.after, one.now) for one in result])
    return page[-1].id if len(page) == PAGE else None, result


def deal(
    db: Connection,
    slot: Slot,
    after: int,
    change: Callable[[File], File],
    world: World,
) -> tuple[int | None, list[Touched]]:
    """Change a page of the files that are held for an entry.

    Return the row to go on after (None at the end), and what changed.
    """
    return _change(db, files.held(db, slot, after, PAGE), change, world)


def drop_copies(
    db: Connection, slot: Slot, after: int, world: World
) -> tuple[int | None, list[Touched]]:
    """Forget what an entry holds of a page of files: its storage is another one.

    Return the row to go on after (None at the end), and what changed.
    """

    def without(file: File) -> File:
        return reconcile.dropped(file, slot, world)

    return _change_page(db, after, without, world)


def hand_over(
    db: Connection, former: Slot, slot: Slot, after: int, world: World
) -> tuple[int | None, list[Touched]]:
    """Take what one entry holds, in a page of files, for what another one holds.

    Return the row to go on after (None at the end), and what changed.
    """

    def handed(file: File) -> File:
        if former not in file.copies:
            return file
        copies = {slot if s == former else s: c for s, c in file.copies.items()}
        origin = file.origin & ~(1 << former)
        if origin != file.origin:
            origin |= 1 << slot
        return comparison.judged(replace(file, copies=copies, origin=origin), world)

    return _change_page(db, after, handed, world)


def decide(
    db: Connection, path: str, keep: Slot | None, world: World, cause: str
) -> Touched:
    """End a dispute by a person's word, and return the file.

    ``keep`` is an entry that holds a side of it; None keeps all. Raise NotFound or
    Conflict if there is nothing to decide, or nothing of it on that entry.
    """
    file, was = files.load(db, [path]).get(path, (reconcile.blank(path), None))
    sides = [side.slot for side in dispute.sides(file, world)]
    if was is None or file.deleted:
        raise NotFound(f"file {fid(path)} not found")
    if not sides:
        raise Conflict(f"nothing about {readable(path)} waits for a decision")
    if keep is None:
        after = dispute.kept_both(file, world)
    elif keep in sides:
        after = dispute.kept_one(file, keep, world)
    else:
        names = ", ".join(world.members[slot].name for slot in sides)
        raise Conflict(
            f"entry {world.members[keep].name} holds no side of it; choose from {names}"
        )
    if after.version != file.version:
        after = replace(after, cause=cause)
    now = counted(after, world)
    files.change(db, [(after, now)])
    return Touched(file, was, after, now)


def _change_page(
    db: Connection, after: int, change: Callable[[File], File], world: World
) -> tuple[int | None, list[Touched]]:
    return _change(db, files.after(db, after, PAGE), change, world)


def _change(
    db: Connection,
    page: Sequence[tuple[File, Facts]],
    change: Callable[[File], File],
    world: World,
) -> tuple[int | None, list[Touched]]:
    result = []
    for file, was in page:
        changed = change(file)
        if changed is not file:
            now = counted(changed, world)
            result.append(Touched(file, was, changed, now))
    files.change(db, [(one.after, one.now) for one in result])
    return page[-1][0].id if len(page) == PAGE else None, result


def _paths(news: News) -> Iterable[str]:
    if isinstance(news, Reported):
        for change in news.changes:
            if isinstance(change, Found):
                yield change.seen.path
                if change.old is not None:
                    yield change.old
            else:
                yield change.path
        return
    for issued, result in news.results:
        yield issued.order.path
        if isinstance(issued.order, SetAside) and isinstance(result, Done):
            yield result.seen.path if result.seen else issued.order.path


def _counted(batch: Batch, news: Reported, world: World) -> tuple[int, int]:
    """Return how many files are gone from an entry, and how many seem changed.

    What a power cut did to them is nobody's change.
    """
    gone = changed = 0
    slot, moved = news.slot, _moved(news)
    for change in news.changes:
        path = change.seen.path if isinstance(change, Found) else change.path
        if not batch.knows(path):
            continue  # All that a first copy tells.
        if batch.held_by(slot, path) not in CONTENTS:
            continue
        file = batch.file(path)
        if isinstance(change, Found):
            verdict = damage.verdict(file, slot, change, world)
            changed += verdict is damage.Verdict.SOUND
        elif path not in moved:
            gone += not damage.may_be_lost(file, slot, world)
    return gone, changed


def _moved(news: Reported) -> set[str]:
    """Return the paths whose contents lie elsewhere on the entry now."""
    return {c.old for c in news.changes if isinstance(c, Found) and c.old is not None}


def _report(batch: Batch, news: Reported, world: World) -> None:
    moved = _moved(news)
    for change in news.changes:
        if isinstance(change, Found):
            old = batch.file(change.old) if change.old is not None else None
            file = batch.file(change.seen.path)
            batch.keep(reconcile.found(file, news.slot, change, world, old))
        else:
            file = batch.file(change.path)
            away = change.path in moved
            batch.keep(reconcile.gone(file, news.slot, change, world, moved=away))


def _end(batch: Batch, news: Ended, world: World) -> None:
    for issued, result in news.results:
        file = batch.file(issued.order.path)
        if not isinstance(result, Done):
            batch.keep(outcome.failed(file, news.slot, issued, result, world))
            continue
        batch.keep(outcome.done(file, news.slot, issued, result, world))
        if isinstance(issued.order, SetAside) and result.seen is not None:
            kept = batch.file(result.seen.path)
            batch.keep(outcome.kept_aside(news.slot, file, kept, result, world))
