"""The rules file and the rule set in force: how rules are put, read and applied."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from syncd.core.rules import Rule, RuleFaults, fingerprint, parse
from syncd.errors import ConfigError
from syncd.replication import rules_file

Apply = Callable[[Any, tuple[Rule, ...]], Awaitable[None]]
"""Puts rules in force: keeps the document in the index, judges every file by them.

It is told of the set in force at every start, and need not judge again by one that
it has judged by already.
"""


class Rulebook:
    """Says which rules are in force, and changes them one request at a time.

    A rule set is written by ``put`` or by hand, and comes into force by
    ``reload``; one with a fault never does. ``rules`` is the set in force. Where
    applying fails, the old set stays in force and the next reload tries again.
    """

    def __init__(
        self,
        path: Path,
        entries: Collection[str],
        document: Any | None,
        apply: Apply,
        log: FilteringBoundLogger,
        *,
        mark: str | None = None,
    ) -> None:
        """Begin with the document that the index says is in force, if any.

        ``mark`` is its fingerprint as of then, if it was kept: so entries that
        came or went since are noticed.
        """
        self.rules: tuple[Rule, ...] = ()
        self._path = path
        self._entries = tuple(entries)
        self._document = document
        self._mark = mark
        self._apply = apply
        self._log = log
        self._turn = asyncio.Lock()

    @property
    def mark(self) -> str | None:
        """Return the fingerprint of the set in force; None before there was one."""
        return self._mark

    async def open(self) -> None:
        """Put the file in force; if it is broken, the last good set instead.

        Raise ConfigError with every fault if there never was a good one.
        """
        async with self._turn:
            known = self._document is not None and self._recall()
            try:
                document, rules = await asyncio.to_thread(self._read)
            except RuleFaults as error:
                if not known:
                    raise ConfigError(str(error)) from None
                self._log.error(
                    "rules refused: the last good ones stay in force",
                    faults=error.faults,
                )
                await self._apply(self._document, self.rules)
            else:
                await self._use(document, rules)

    def shown(self) -> Any:
        """Return the newest document that was put, or read and found good."""
        return self._document

    async def put(self, document: Any) -> None:
        """Write the document to the file; it is in force after the next reload.

        Raise RuleFaults if it is not a rule set, Unavailable if it cannot be
        written; then nothing has changed.
        """
        async with self._turn:
            await asyncio.to_thread(self._write, document)
            self._document = document

    async def reload(self) -> bool:
        """Put the file in force if it changed, and return whether it did.

        Raise RuleFaults if it is broken; then nothing has changed.
        """
        async with self._turn:
            return await self._take()

    def _recall(self) -> bool:
        """Take up the set in force from the index, and return whether it is one."""
        try:
            self.rules = parse(self._document, None)
        except RuleFaults as error:
            self._log.error("rules in the index refused", faults=error.faults)
            self._document = self._mark = None
            return False
        self._mark = self._mark or fingerprint(self._document, self._entries)
        return True

    async def _take(self) -> bool:
        document, rules = await asyncio.to_thread(self._read)
        mark = fingerprint(document, self._entries)
        if mark == self._mark:
            self._document = document
            return False
        await self._use(document, rules)
        return True

    async def _use(self, document: Any, rules: tuple[Rule, ...]) -> None:
        await self._apply(document, rules)
        self.rules, self._document = rules, document
        self._mark = fingerprint(document, self._entries)

    def _read(self) -> tuple[Any, tuple[Rule, ...]]:
        document = rules_file.read(self._path)
        try:
            return document, parse(document, self._entries)
        except RuleFaults as error:
            raise RuleFaults(*(f"{self._path}: {f}" for f in error.faults)) from None

    def _write(self, document: Any) -> None:
        parse(document, self._entries)
        rules_file.write(self._path, document)
