"""What every deed of a worker has at hand, and how it waits for what blocks."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import Struct, field

from syncd.backup_sources.contract import Around, Source, Storage
from syncd.child.telling import Telling
from syncd.core.backup import Report
from syncd.core.errand import UNTRUSTED, Done, Part, Work
from syncd.core.job import Progress
from syncd.core.vault import Summary
from syncd.errors import (
    BadRequest,
    ConfigError,
    Conflict,
    NotFound,
    StorageBusy,
    StorageError,
    StorageFull,
    StorageUntrusted,
    SyncdError,
    Unavailable,
)
from syncd.vaults.contract import VaultStore

T = TypeVar("T")

MOST = 1000
"""Faults and plans that are told; the log has all of them."""

WORDS: list[tuple[type[SyncdError], str]] = [
    (StorageFull, "full"),
    (StorageBusy, "busy"),
    (StorageUntrusted, UNTRUSTED),
    (StorageError, "storage"),
    (Unavailable, "busy"),
    (NotFound, "missing"),
    (Conflict, "conflict"),
    (ConfigError, "configuration"),
    (BadRequest, "wrong"),
]
"""Why something failed, as one word; the first that fits counts."""


class Stopped(Exception):
    """The worker is to end, and this thread has noticed."""


class Doing(Struct, frozen=True):
    """What a deed has at hand."""

    work: Work
    say: Telling
    canceled: Callable[[], str]
    """Why it is to end in good order; empty when nobody has asked for that."""
    stopping: Callable[[], bool]
    """Whether it is to end, for whatever reason."""

    opened: list[str] = field(default_factory=list)
    """The ids of the vault stores that were opened, if they have any."""

    def store(self) -> VaultStore:
        """Open the vault store; raise ConfigError or StorageError."""
        if self.work.store is None:
            raise ConfigError("no vault store is named for this work")
        store = cast("VaultStore", made(self.work.store))
        self.opened.append(str(getattr(store, "id", "")))
        return store

    def source(self) -> Source:
        """Return the source; raise ConfigError if there is none."""
        if self.work.source is None:
            raise ConfigError(f"no source {self.work.source_name} is configured")
        entries = msgspec.convert(self.work.entries, dict[str, Storage])
        keep = Path(self.work.keep) if self.work.keep else None
        around = Around(scratch=Path(self.work.scratch), keep=keep, entries=entries)
        return cast("Source", made(self.work.source, around))

    @property
    def vault(self) -> str:
        """Return the name of the vault that it is about."""
        assert self.work.vault is not None
        return self.work.vault


class Counting:
    """Told of bytes and items that are done, from any thread; tells how far it is."""

    def __init__(self, doing: Doing, summary: Summary, phase: str) -> None:
        self._doing = doing
        self._summary = summary
        self._phase = phase
        self._bytes = 0
        self._items = 0

    def __call__(self, bytes: int, items: int) -> None:
        """Count; raise Stopped when the worker is to end."""
        if self._doing.stopping():
            raise Stopped
        self._bytes += bytes
        self._items += items
        progress = Progress(
            bytes=self._bytes,
            items=self._items,
            total_bytes=self._summary.bytes,
            phase=self._phase,
        )
        self._doing.say.progress(progress)


class Entered(Generic[T]):
    """A context manager that blocks, entered and left in a thread."""

    def __init__(self, context: AbstractContextManager[T]) -> None:
        self._context = context

    async def __aenter__(self) -> T:
        return await whole(self._context.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await whole(self._context.__exit__, kind, error, trace)


async def whole(call: Callable[..., T], *arguments: Any) -> T:
    """Return what the call in a thread returns; being cancelled does not cut it.

    For what makes or deletes something, so that it is known what came of it.
    """
    task = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                raise
            uncancel()


async def stoppable(call: Callable[[], T]) -> T:
    """Return what the call returns; when cancelled, wait until it has noticed.

    It notices by a Counting.
    """
    task = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.cancelled() or task.exception()
        raise


def uncancel() -> None:
    """Go on after the task was told to end."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def made(part: Part, *more: Any) -> Any:
    """Return what the reference names, made of its options and of what is around.

    A class makes it by its ``create``, a function by itself.
    """
    module, _, name = part.reference.partition(":")
    kind: Any = import_module(module)
    for attribute in name.split("."):
        kind = getattr(kind, attribute)
    return getattr(kind, "create", kind)(part.options, *more)


def reason(error: BaseException) -> str:
    """Return why something failed, as one word."""
    return next((word for kind, word in WORDS if isinstance(error, kind)), "bug")


def said(error: Exception) -> str:
    """Return why something failed, for people."""
    if isinstance(error, SyncdError):
        return str(error)
    return f"this is a bug: {type(error).__name__}: {error}"


def together(failed: Mapping[str, str]) -> str | None:
    """Return what could not be done in one line; None: there is no such thing."""
    if not failed:
        return None
    first, why = next(iter(failed.items()))
    more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"{first}: {why}{more}"


def told(report: Report) -> dict[str, Any]:
    """Return the report as it is kept with the job."""
    kept = msgspec.structs.replace(
        report, torn=report.torn[:MOST], plan=report.plan[:MOST]
    )
    return cast("dict[str, Any]", msgspec.to_builtins(kept))


def reported(report: Report) -> Done:
    """Return what came of a job that a report tells all of."""
    words = together(report.failed) or ""
    return Done(result=told(report), error=words, reason="failed" if words else "")
