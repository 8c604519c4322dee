"""Lets entries in: compares what their storage shows with what the index knows."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

from syncd import wire
from syncd.core.admission import Admitted, Known, Refused, Shown, TakenOver, admit
from syncd.core.file import Slot
from syncd.errors import Conflict, Unavailable
from syncd.store import doubts, entries, files
from syncd.store.database import Store
from syncd.store.entries import Entry

PAGE = 500
LOOKS, BETWEEN_LOOKS = 30, 0.1
"""How often, and after how many seconds, to look for an entry's next Hello."""

Report = Callable[[str, str | None], None]
"""Told an entry's name and why it is suspended; None when it no longer is."""


class Door:
    """Who may come in, who waits for a person's word, and who waits for what."""

    def __init__(
        self,
        store: Store,
        index: str,
        *,
        send: Callable[[str, wire.Down], bool],
        report: Report,
    ) -> None:
        self._store = store
        self._index = index
        self._send = send
        self._report = report
        self._waiting: dict[Slot, tuple[wire.Hello, Refused]] = {}
        self._suspended: set[Slot] = set()
        self._troubled: dict[Slot, str] = {}
        """Why entries have no storage that anything could be decided about."""
        self._accepted: set[Slot] = set()
        self._anew: set[Slot] = set()
        self._unasked: dict[Slot, int] = {}
        """After which row to go on asking entries for what they did not tell of."""
        self.doubted: dict[Slot, int] = {}
        """Since when contents of entries are doubted, in nanoseconds; see World."""
        self.wants_mime: Callable[[], bool] = lambda: False
        self.greet_again: Callable[[str, wire.Hello], None] = lambda _name, _hello: None
        self.hand_over: Callable[[Slot, Slot], Awaitable[None]] = _nothing

    async def greet(self, slot: Slot, hello: wire.Hello, holds: int) -> bool:
        """Answer a Hello; return whether the entry was let in.

        ``holds`` says how many files the entry is known to hold.
        """
        self._suspended.discard(slot)
        self._troubled.pop(slot, None)
        if hello.trouble is not None:
            self._troubled[slot] = hello.trouble
            self._report(hello.entry, hello.trouble)
            return False
        entry, others = await self._known(slot)
        shown = Shown(hello.marker, hello.empty, hello.ledger, hello.noted)
        known = Known(
            slot=slot,
            name=entry.name,
            marker=entry.marker,
            marked=entry.marked,
            noted=entry.noted,
            forget=entry.forget,
            holds=holds,
        )
        accepted = slot in self._accepted
        answer = admit(shown, known, self._index, others, accepted)
        if isinstance(answer, TakenOver):
            if answer.former is not None:
                await self.hand_over(answer.former, slot)
            await self._store.run(entries.take_over, slot, answer.marker, answer.former)
            return await self.greet(slot, hello, holds)
        if isinstance(answer, Refused):
            self._refuse(slot, hello, answer)
            return False
        await self._welcome(slot, entry, answer)
        return True

    async def say_wishes(self, slot: Slot) -> None:
        """Tell an entry that is in, again, what it is to report of files."""
        entry, _ = await self._known(slot)
        welcome = wire.Welcome(
            self._index, entry.marker, forget=False, mime=self.wants_mime()
        )
        self._send(entry.name, welcome)

    async def walked(self, slot: Slot) -> None:
        """Note that the entry has told all that it has; ask for what it left out."""
        self._accepted.discard(slot)
        if slot in self._anew:
            self._unasked.setdefault(slot, 0)
            await self.go_on()
        else:
            await self.looked(slot)

    async def looked(self, slot: Slot) -> None:
        """Note that the entry has said of all that it was asked whether it is there.

        So its ledger is right, and nothing is left that a power cut may have taken.
        """
        self._anew.discard(slot)
        await self._store.run(entries.settled, slot)
        if slot in self.doubted:
            await self._store.run(doubts.settle, slot)
            del self.doubted[slot]

    async def go_on(self) -> None:
        """Ask on where a busy line did not take all that was to be asked."""
        for slot in list(self._unasked):
            if await self._ask_for_missing(slot):
                self._unasked.pop(slot, None)

    def suspended(self, slot: Slot, name: str, reason: str) -> None:
        """Note that an entry's own child found its storage not to be trusted."""
        self._accepted.discard(slot)
        self._suspended.add(slot)
        self._report(name, reason)

    def left(self, slot: Slot) -> None:
        """Forget the Hello of an entry whose child is gone or says Hello anew."""
        self._waiting.pop(slot, None)
        self._unasked.pop(slot, None)
        self._troubled.pop(slot, None)

    def is_accepted(self, slot: Slot) -> bool:
        """Tell whether a person said that what the entry tells now is meant."""
        return slot in self._accepted

    def is_asked(self, slot: Slot) -> bool:
        """Tell whether an entry's storage waits for a person."""
        return slot in self._waiting

    async def approve(
        self, slot: Slot, name: str, drop: Callable[[Slot], Awaitable[None]]
    ) -> None:
        """Accept an entry's storage as it is.

        An emptied one: the deletions are meant, and spread. Another one: it is a
        new storage; nothing is concluded from what it lacks. Raise Conflict if
        the entry does not wait for that, Unavailable if it cannot be told.
        """
        hello, refused = await self._asked(slot, name)
        if refused.emptied:
            self._accepted.add(slot)
            self.greet_again(hello.entry, hello)
            return
        await self._start_anew(slot, drop)

    async def restore(
        self, slot: Slot, name: str, drop: Callable[[Slot], Awaitable[None]]
    ) -> None:
        """Fill an entry's storage from the others again; nothing is deleted.

        Raise Conflict if the entry does not wait for that, Unavailable if it
        cannot be told.
        """
        hello, refused = await self._asked(slot, name)
        if not refused.emptied:
            await self._start_anew(slot, drop)
            return
        await drop(slot)
        await self._store.run(entries.start_anew, slot)
        self._accepted.add(slot)
        self.greet_again(hello.entry, hello)

    async def _asked(self, slot: Slot, name: str) -> tuple[wire.Hello, Refused]:
        """Return what an entry waits for; raise Conflict if it does not.

        A child that found its storage changed says a moment later how it is now.
        """
        for _ in range(LOOKS):
            if slot in self._waiting or slot not in self._suspended:
                break
            await asyncio.sleep(BETWEEN_LOOKS)
        if slot in self._troubled:
            raise Conflict(f"entry {name}: {self._troubled[slot]}")
        try:
            return self._waiting[slot]
        except KeyError:
            raise undecided(name) from None

    async def _start_anew(
        self, slot: Slot, drop: Callable[[Slot], Awaitable[None]]
    ) -> None:
        hello, _ = self._waiting[slot]
        await drop(slot)
        marker = str(uuid4())
        await self._store.run(entries.remark, slot, marker)
        if not self._send(hello.entry, wire.Adopt(marker)):
            raise Unavailable(f"entry {hello.entry} cannot be reached; try again")

    async def _known(
        self, slot: Slot
    ) -> tuple[Entry, dict[str, tuple[Slot, str, bool]]]:
        everyone = await self._store.read(entries.everything)
        others = {
            entry.marker: (entry.slot, entry.name, entry.configured)
            for entry in everyone
            if entry.slot != slot
        }
        return next(entry for entry in everyone if entry.slot == slot), others

    def _refuse(self, slot: Slot, hello: wire.Hello, answer: Refused) -> None:
        self._waiting[slot] = (hello, answer)
        self._report(hello.entry, answer.reason)
        suspended = wire.Welcome(
            self._index, hello.marker or "", forget=False, suspended=answer.reason
        )
        self._send(hello.entry, suspended)

    async def _welcome(self, slot: Slot, entry: Entry, answer: Admitted) -> None:
        if answer.forget or answer.behind:
            # What such a ledger lacks, a walk does not find missing: it is asked for.
            # Kept, so that after a crash nothing it left out is believed for ever.
            await self._store.run(entries.unsettled, slot)
            if entry.marked or entry.noted:
                self._anew.add(slot)
        self._report(entry.name, None)
        welcome = wire.Welcome(
            self._index,
            entry.marker,
            answer.forget,
            mime=self.wants_mime(),
            doubted=self.doubted.get(slot, 0),
        )
        self._send(entry.name, welcome)

    async def _ask_for_missing(self, slot: Slot) -> bool:
        """Let the entry look at all that it is known to hold but may not have told of.

        That no rule wants it there now does not matter: one may again tomorrow, and
        then the entry must not pass for one that has it. Return whether it was asked
        for everything.
        """
        entry, _ = await self._known(slot)
        last = False
        while not last:
            page = await self._store.read(files.after, self._unasked[slot], PAGE)
            last = len(page) < PAGE
            paths = [file.path for file, _ in page if file.copy(slot).present]
            look = wire.Look(paths, last=last)
            if (paths or last) and not self._send(entry.name, look):
                return False
            if page:
                self._unasked[slot] = page[-1][0].id
        return True


async def _nothing(_former: Slot, _slot: Slot) -> None:
    return


def undecided(name: str) -> Conflict:
    """Return what tells whoever decides something of an entry that nothing waits."""
    return Conflict(
        f"entry {name} does not wait for a decision: nothing of it is held now"
        f" (syncd entries held {name})"
    )
