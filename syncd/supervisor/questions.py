"""Asks children for what only they know, and waits for the answer."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from itertools import count

from syncd import wire
from syncd.core.keeping import Kept, Wish
from syncd.errors import Unavailable

PATIENCE = 30.0
"""Seconds without a word after which a child counts as unable to answer."""

Answer = wire.Recalled | wire.Undone


class Questions:
    """What is asked and not yet answered.

    Whoever hears the children hands on their answers, and says when one is lost.
    """

    def __init__(self, send: Callable[[str, wire.Down], bool]) -> None:
        self._send = send
        self._numbers = count(1)
        self._waiting: dict[int, tuple[str, asyncio.Queue[Answer | None]]] = {}

    async def recall(
        self, entry: str, path: str = "", *, below: bool = False, fid: str | None = None
    ) -> list[Kept]:
        """Return what an entry keeps of a path, of what lies below it, or of an id.

        Raise Unavailable if it cannot tell, or not all of it.
        """
        number = next(self._numbers)
        asked = wire.Recall(number, path, below, fid)
        found: list[Kept] = []
        async with aclosing(self._answers(entry, number, asked)) as answers:
            async for answer in answers:
                if isinstance(answer, wire.Recalled):
                    if answer.trouble is not None:
                        raise Unavailable(answer.trouble)
                    found += answer.kept
                    if answer.last:
                        break
        return found

    async def undo(
        self, entry: str, wishes: Sequence[Wish], cause: str
    ) -> list[str | None]:
        """Have an entry bring things back; return what was in the way of each.

        Raise Unavailable if it does not say: it may have done some of it.
        """
        number = next(self._numbers)
        asked = wire.Undo(number, list(wishes), cause)
        async with aclosing(self._answers(entry, number, asked)) as answers:
            async for answer in answers:
                if isinstance(answer, wire.Undone):
                    return answer.trouble
        raise AssertionError("there is an answer, or an error")

    def hear(self, message: Answer) -> None:
        """Take in an answer; one that nobody waits for any more is dropped."""
        if (waiting := self._waiting.get(message.id)) is not None:
            waiting[1].put_nowait(message)

    def lost(self, entry: str) -> None:
        """Take in that an entry's child is gone, and will not answer."""
        for asked, answers in self._waiting.values():
            if asked == entry:
                answers.put_nowait(None)

    async def _answers(
        self, entry: str, number: int, asked: wire.Down
    ) -> AsyncGenerator[Answer, None]:
        answers: asyncio.Queue[Answer | None] = asyncio.Queue()
        self._waiting[number] = entry, answers
        try:
            if not self._send(entry, asked):
                raise Unavailable("it is not running")
            while True:
                async with asyncio.timeout(PATIENCE):
                    answer = await answers.get()
                if answer is None:
                    raise Unavailable("it stopped before it had answered")
                yield answer
        except TimeoutError:
            raise Unavailable(f"no answer within {PATIENCE:g} s") from None
        finally:
            del self._waiting[number]
