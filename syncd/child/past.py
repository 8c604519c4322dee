"""What the storage keeps of the past: tells of it, brings it back, lets it go."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from syncd import clock
from syncd.core.file import Kind, Seen
from syncd.core.keeping import Kept, Promise, Return, Wish
from syncd.core.path import fid, readable
from syncd.drivers.contract import Can, Keeping, Returned
from syncd.errors import StorageChanged, StorageError, StorageUntrusted
from syncd.wire import Recall, Recalled, Undo, Undone

if TYPE_CHECKING:
    from syncd.child.link import Link, Log
    from syncd.child.notice import Notice
    from syncd.child.picture import Picture
    from syncd.child.watch import Watch
    from syncd.drivers.contract import Driver

PAGE = 1000
"""Contents told of in one message."""

AT_ONCE = 200
"""Contents brought back, and made durable, at once."""

OFTEN, SELDOM = 5.0, 3600.0
"""Seconds between two looks at what may be let go: what came often, and everything."""

REST = 0.02
"""Seconds to leave to others between two steps of letting go."""

NOTHING = "its storage keeps nothing that is replaced or deleted"

AT_REST = "its storage cannot be used now"

Question = Recall | Undo


def keep(driver: "Driver", promise: Promise | None) -> None:
    """Have the driver keep what is lost, if that is wanted and it can."""
    if promise is not None and (keeping := _keeping(driver)) is not None:
        keeping.keep(promise)


def refused(question: Question, reason: str) -> Recalled | Undone:
    """Return the answer that says why there is none."""
    if isinstance(question, Recall):
        return Recalled(question.id, [], last=True, trouble=reason)
    return Undone(question.id, [reason] * len(question.wishes))


class Past:
    """Answers one question after another, while the storage is worked on."""

    def __init__(
        self,
        driver: "Driver",
        picture: "Picture",
        watch: "Watch",
        notice: "Notice",
        link: "Link",
        *,
        log: "Log",
    ) -> None:
        self._driver = driver
        self._keeping = _keeping(driver)
        self._picture = picture
        self._watch = watch
        self._notice = notice
        self._link = link
        self._log = log
        self._questions: deque[Question] = deque()
        self._asked = asyncio.Event()

    def take(self, question: Question) -> None:
        """Let the question wait for its answer."""
        self._questions.append(question)
        self._asked.set()

    def give_up(self, reason: str) -> None:
        """Answer everything that waits: the storage cannot be worked on."""
        while self._questions:
            self._link.send(refused(self._questions.popleft(), reason))

    async def answer(self) -> None:
        """Answer questions as they come, for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._questions:
                # It stays in the queue until then, to be answered in any case.
                await self._answer(self._questions[0])
                self._questions.popleft()

    async def forget(self) -> None:
        """Let go of what was promised no longer, little by little, for ever."""
        if self._keeping is None:
            return
        due = 0.0
        while True:
            await asyncio.sleep(OFTEN)
            if self._watch.last_walk is None:
                continue  # Orders wait for that walk; and it may find more trash.
            everywhere = clock.monotonic() >= due
            steps = self._keeping.forget_kept(everywhere=everywhere)
            try:
                async with aclosing(cast("Any", steps)):
                    async for _ in steps:
                        await asyncio.sleep(REST)
            except StorageUntrusted:
                raise
            except StorageError as error:
                # What cannot be looked through harms nobody; work goes on beside it.
                self._log.warning("cannot tidy the trash", reason=str(error))
            if everywhere:
                due = clock.monotonic() + SELDOM

    async def _answer(self, question: Question) -> None:
        if self._keeping is None:
            self._link.send(refused(question, NOTHING))
        elif isinstance(question, Recall):
            await self._recall(self._keeping, question)
        else:
            await self._undo(self._keeping, question)

    async def _recall(self, keeping: Keeping, asked: Recall) -> None:
        trouble = None
        try:
            if asked.below or asked.fid is not None:
                await self._recall_many(keeping, asked)
            else:
                found = await keeping.kept(asked.path)
                self._tell(asked, found)
        except StorageUntrusted:
            raise
        except StorageError as error:
            trouble = str(error)
        self._link.send(Recalled(asked.id, [], last=True, trouble=trouble))

    async def _recall_many(self, keeping: Keeping, asked: Recall) -> None:
        pages = keeping.kept_below(asked.path)
        async with aclosing(cast("Any", pages)):
            async for page in pages:
                if asked.fid is None:
                    self._tell(asked, page)
                else:
                    self._tell(asked, [k for k in page if fid(k.path) == asked.fid])
                await asyncio.sleep(0)

    def _tell(self, asked: Recall, found: Sequence[Kept]) -> None:
        for start in range(0, len(found), PAGE):
            some = list(found[start : start + PAGE])
            self._link.send(Recalled(asked.id, some, last=False))

    async def _undo(self, keeping: Keeping, asked: Undo) -> None:
        trouble: list[str | None] = []
        for start in range(0, len(asked.wishes), AT_ONCE):
            some = asked.wishes[start : start + AT_ONCE]
            trouble += await self._bring_back(keeping, some, asked.cause)
        self._link.send(Undone(asked.id, trouble))

    async def _bring_back(
        self, keeping: Keeping, wishes: Sequence[Wish], cause: str
    ) -> list[str | None]:
        """Bring back what can be, say so as news, and return what is in the way."""
        paths = [wish.path for wish in wishes]
        looked = await self._driver.look(paths)
        checked = [
            self._checked(wish, seen, cause)
            for wish, seen in zip(wishes, looked, strict=True)
        ]
        orders = [one for one in checked if isinstance(one, Return)]
        with self._watch.busy.working([order.path for order in orders]):
            answers = iter(await keeping.bring_back(orders) if orders else [])
        told: list[str | None] = []
        changed: list[str] = []
        for one in checked:
            answer = next(answers) if isinstance(one, Return) else one
            changed += _changed_by(answer)
            told.append(None if isinstance(answer, Returned) else _words(answer))
        if changed:
            await self._watch.look_again(
                self._notice, sorted(set(changed)), ordered=True
            )
        return told

    def _checked(
        self, wish: Wish, seen: Seen | StorageError | None, cause: str
    ) -> Return | str:
        """Return how to fulfil the wish, or what is in the way."""
        if isinstance(seen, StorageError):
            return str(seen)
        if (why := self._unsettled(wish.path, seen) or _taken(wish, seen)) is not None:
            return why
        there = seen.stamp if seen is not None else None
        return Return(wish.path, wish.place, there, wish.digest, cause)

    def _unsettled(self, path: str, seen: Seen | None) -> str | None:
        """Return what is going on at the path that must not be disturbed, if any."""
        if path in self._watch.busy:
            return f"{readable(path)} is being worked on; try again in a moment"
        known = self._picture.get(path)
        if (known.seen if known else None) != seen:
            return f"{readable(path)} has just changed; try again in a moment"
        is_written_to = self._watch.is_written_to
        if seen is not None and is_written_to is not None and is_written_to(path):
            return f"{readable(path)} is open for writing; try again when it is closed"
        return None


def _taken(wish: Wish, seen: Seen | None) -> str | None:
    """Return why what lies at the path may not be replaced, if so."""
    if seen is not None and seen.kind is Kind.DIRECTORY:
        return f"{readable(wish.path)} is a folder now; rename it first"
    if seen is not None and wish.gone:
        return f"{readable(wish.path)} is there again"
    return None


def _keeping(driver: "Driver") -> Keeping | None:
    return cast("Keeping", driver) if Can.KEEP_LOST in type(driver).can else None


def _changed_by(answer: object) -> Iterable[str]:
    if isinstance(answer, Returned):
        return [seen.path for seen in (*answer.made, answer.seen)]
    return []


def _words(answer: "str | StorageError | Returned") -> str:
    if isinstance(answer, StorageChanged):
        return f"{answer}; look at its history again"
    return str(answer)
