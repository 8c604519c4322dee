"""What entries keep of the past of files, and bringing it back.

The index knows nothing of it: the entries are asked, so that what is told is what
is there, also after the index was lost. What is brought back is an ordinary change
of the entry that kept it, and spreads like one.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol
from uuid import uuid4

import structlog
from msgspec import Struct

from syncd.core import path as paths
from syncd.core.file import File, Kind, Slot, has
from syncd.core.keeping import Kept, Version, Wish, wanted
from syncd.errors import BadRequest, Conflict, NotFound, Unavailable
from syncd.store import files
from syncd.store.database import Store

AT_ONCE = 1000
"""Wishes that go to an entry in one message."""

log = structlog.get_logger(__name__)


class Asking(Protocol):
    """Whoever can ask the entries; see supervisor.questions."""

    async def recall(
        self, entry: str, path: str = "", *, below: bool = False, fid: str | None = None
    ) -> list[Kept]:
        """Return what an entry keeps; raise Unavailable."""
        ...

    async def undo(
        self, entry: str, wishes: Sequence[Wish], cause: str
    ) -> list[str | None]:
        """Have an entry bring things back; raise Unavailable."""
        ...


class History(Struct, frozen=True):
    """What is kept of one path."""

    path: str
    versions: list[Version]
    """Newest first: what was taken away last."""
    unheard: dict[str, str]
    """Entries that could not tell, and why."""


class Passed(Struct, frozen=True):
    """A path that was to be brought back and is not."""

    path: str
    reason: str


class Plan(Struct, frozen=True):
    """What undoing brings back, and what it cannot."""

    back: list[Version]
    passed: list[Passed]
    unheard: dict[str, str]


class Undoing:
    """Tells the past of files, and brings it back."""

    def __init__(
        self, store: Store, questions: Asking, members: Mapping[str, Slot]
    ) -> None:
        """``members`` are the configured entries."""
        self._store = store
        self._questions = questions
        self._members = dict(members)

    async def history(self, fid: str) -> History:
        """Return what is kept of a file, be it there or gone; raise NotFound."""
        file = await self._file(fid)
        if file is not None:
            found, unheard = await self._recall(file.path)
            return History(file.path, _newest_first(found), unheard)
        found, unheard = await self._recall(fid=fid)
        if not found:
            raise NotFound(f"file {fid} not found{_but(unheard)}")
        return History(found[0].kept.path, _newest_first(found), unheard)

    async def undo(
        self,
        fid: str,
        *,
        entry: str | None = None,
        version: str | None = None,
        since_ns: int | None = None,
    ) -> Version:
        """Bring back one content of a file, and return which.

        That is the given version, or what lay there at a moment, or what the last
        change took away. Raise NotFound if it is not kept, Conflict if it cannot
        be brought back as things are.
        """
        self._check(entry)
        past = await self.history(fid)
        found = [one for one in past.versions if entry in (None, one.entry)]
        shown = paths.readable(past.path)
        if not found:
            raise NotFound(f"nothing is kept of {shown}{_but(past.unheard)}")
        if version is not None:
            chosen = [one for one in found if str(one.kept.at_ns) == version]
            if not chosen:
                raise NotFound(
                    f"no version {version} is kept of {shown}; ask for its history"
                )
        else:
            chosen = wanted(found, since_ns)
            if not chosen:
                raise Conflict(f"{shown} has not changed since then, as far as is kept")
        file = await self._file(fid)
        choice = _choice(file, chosen, self._members)
        if isinstance(choice, Passed):
            raise Conflict(choice.reason)
        if _is_there(file, choice.kept):
            raise Conflict(f"{shown} has that content; choose another version")
        [trouble] = await self._questions.undo(
            choice.entry, [_wish(file, choice, gone=False)], _new_cause()
        )
        if trouble is not None:
            raise Conflict(trouble)
        _log(choice)
        return choice

    async def plan(
        self, path: str, *, entry: str | None = None, since_ns: int | None = None
    ) -> Plan:
        """Return what undoing would bring back to a path and what lies below it.

        With a moment, that is what lay there then and has changed since; without,
        what is gone, and for the path itself what the last change took away. Raise
        NotFound if nothing is kept there.
        """
        self._check(entry)
        if not path and since_ns is None:
            raise BadRequest("everything is much: say since when, or below which path")
        found, unheard = await self._recall_below(path)
        found = [one for one in found if entry in (None, one.entry)]
        if not found:
            raise NotFound(f"nothing is kept of {_shown(path)}{_but(unheard)}")
        by_path: dict[str, list[Version]] = {}
        for one in found:
            by_path.setdefault(one.kept.path, []).append(one)
        plan = Plan([], [], unheard)
        known = await self._known(by_path)
        for one_path, versions in sorted(by_path.items()):
            file = known.get(one_path)
            if since_ns is None and one_path != path and not _is_gone(file):
                continue
            chosen = wanted(versions, since_ns)
            if chosen and not _is_there(file, chosen[0].kept):
                choice = _choice(file, chosen, self._members)
                if isinstance(choice, Passed):
                    plan.passed.append(choice)
                else:
                    plan.back.append(choice)
        return plan

    async def carry_out(self, plan: Plan, path: str, since_ns: int | None) -> Plan:
        """Bring back what was planned for a path; return what came of it."""
        cause = _new_cause()
        passed = list(plan.passed)
        back: list[Version] = []
        known = await self._known(one.kept.path for one in plan.back)
        by_entry: dict[str, list[Version]] = {}
        for one in plan.back:
            by_entry.setdefault(one.entry, []).append(one)
        for entry, versions in by_entry.items():
            for start in range(0, len(versions), AT_ONCE):
                some = versions[start : start + AT_ONCE]
                wishes = [
                    _wish(
                        known.get(one.kept.path),
                        one,
                        gone=since_ns is None and one.kept.path != path,
                    )
                    for one in some
                ]
                answers = await self._answers(entry, wishes, cause)
                for one, trouble in zip(some, answers, strict=True):
                    if trouble is None:
                        back.append(one)
                    else:
                        passed.append(Passed(one.kept.path, trouble))
        log.info("undone", action="undo", path=path, files=len(back), cause=cause)
        return Plan(back, passed, plan.unheard)

    async def _answers(
        self, entry: str, wishes: Sequence[Wish], cause: str
    ) -> list[str | None]:
        try:
            return await self._questions.undo(entry, wishes, cause)
        except Unavailable as error:
            return [f"entry {entry}: {error}"] * len(wishes)

    def _check(self, entry: str | None) -> None:
        if entry is not None and entry not in self._members:
            raise BadRequest(f"entry: entry {entry} not found")

    async def _file(self, fid: str) -> File | None:
        try:
            return await self._store.read(files.by_fid, fid)
        except NotFound:
            return None

    async def _known(self, some: Iterable[str]) -> dict[str, File]:
        known = await self._store.read(files.load, list(some))
        return {path: file for path, (file, _) in known.items()}

    async def _recall(
        self, path: str = "", *, below: bool = False, fid: str | None = None
    ) -> tuple[list[Version], dict[str, str]]:
        """Return what every entry keeps, and why some could not say."""
        told = await asyncio.gather(
            *(
                self._questions.recall(name, path, below=below, fid=fid)
                for name in self._members
            ),
            return_exceptions=True,
        )
        found: list[Version] = []
        unheard: dict[str, str] = {}
        for name, kept in zip(self._members, told, strict=True):
            if isinstance(kept, Unavailable):
                unheard[name] = str(kept)
            elif isinstance(kept, BaseException):
                raise kept
            else:
                found += [Version(name, one) for one in kept]
        return found, unheard

    async def _recall_below(self, path: str) -> tuple[list[Version], dict[str, str]]:
        found, unheard = await self._recall(path, below=True)
        if path:
            own, _ = await self._recall(path)
            found += own
        return found, unheard


def _choice(
    file: File | None, chosen: Sequence[Version], members: Mapping[str, Slot]
) -> Version | Passed:
    """Return on which entry the content is best brought back.

    Where an entry does not hold the newest version, what it brought back would
    not follow that version but be in conflict with it.
    """
    best = chosen[0]
    same = [one for one in chosen if one is best or _same(one.kept, best.kept)]
    able = [one for one in same if _follows(file, members[one.entry])]
    if able:
        return max(able, key=lambda one: _owns(file, members[one.entry]))
    shown = paths.readable(best.kept.path)
    if file is not None and file.kind is Kind.DIRECTORY and not file.deleted:
        return Passed(best.kept.path, f"{shown} is a folder now; rename it first")
    return Passed(
        best.kept.path,
        f"only {best.entry} keeps that content of {shown}, and it does not hold the"
        " newest version; try again when it does, or copy it by hand from"
        f" {paths.readable(best.kept.place)} there",
    )


def _same(one: Kept, other: Kept) -> bool:
    return one.digest is not None and one.digest == other.digest


def _follows(file: File | None, slot: Slot) -> bool:
    if file is None or file.deleted:
        return True
    return file.kind is not Kind.DIRECTORY and file.copy(slot).version == file.version


def _owns(file: File | None, slot: Slot) -> bool:
    return file is not None and has(file.owners, slot)


def _is_gone(file: File | None) -> bool:
    return file is None or file.deleted


def _is_there(file: File | None, kept: Kept) -> bool:
    """Tell whether the newest version is known to have that content."""
    if file is None or file.deleted or kept.digest is None:
        return False
    return kept.digest == file.digest


def _wish(file: File | None, version: Version, *, gone: bool) -> Wish:
    digest = None if file is None or file.deleted else file.digest
    return Wish(version.kept.path, version.kept.place, digest, gone)


def _newest_first(versions: Iterable[Version]) -> list[Version]:
    return sorted(versions, key=lambda one: one.kept.at_ns, reverse=True)


def _but(unheard: Mapping[str, str]) -> str:
    """Return the reservation that not everybody could be asked."""
    told = "; ".join(f"{name}: {reason}" for name, reason in unheard.items())
    return f", but not every entry could tell ({told})" if told else ""


def _shown(path: str) -> str:
    return paths.readable(path) or "anything"


def _new_cause() -> str:
    return uuid4().hex[:8]


def _log(one: Version) -> None:
    log.info(
        "undone",
        action="undo",
        fid=paths.fid(one.kept.path),
        filename=paths.readable(one.kept.path),
        entry=one.entry,
    )
