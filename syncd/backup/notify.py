"""Tells people and programs: of failures, of recovery, of backups that are too old."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from syncd.backup import web
from syncd.backup.mailing import send
from syncd.backup.plan import Hooks, Mail, Plan
from syncd.core.job import Job, State
from syncd.errors import SyncdError, Unavailable
from syncd.text import printable

log = structlog.get_logger(__name__)


class Notifier:
    """Sends what is to be told, each in a task of its own; nothing waits for it."""

    def __init__(self, plans: Mapping[str, Plan], now: Callable[[], float]) -> None:
        self._plans = plans
        self._now = now
        self._tasks: set[asyncio.Task[None]] = set()
        self._stale: set[tuple[str, str]] = set()

    async def before(self, hooks: Hooks, job: Job) -> str:
        """Tell the web hooks that a job begins; return why it must not, if so."""
        for hook in hooks.before_web:
            try:
                await web.post(hook, _said("started", job), self._now)
            except Unavailable as error:
                return str(error)
        return ""

    def ended(self, job: Job, before: Job | None) -> None:
        """Tell of a job's end, given the one before it of the same kind and source."""
        plan = self._plans.get(job.store)
        if plan is None:
            return
        said = _said("ended", job)
        for hook in plan.hooks.get(job.kind, Hooks()).after_web:
            self._soon(web.post(hook, said, self._now))
        if job.state is State.FAILED:
            self._tell(plan, f"{_title(job)} failed: {job.error}", _said("failed", job))
            return
        failed_before = before is not None and before.state is State.FAILED
        if job.state is State.SUCCESSFUL and failed_before:
            words = f"{_title(job)} is successful again"
            self._tell(plan, words, _said("recovered", job))

    def aged(self, plan: Plan, source: str, newest: float, since: float) -> None:
        """Look at how old the newest valid vault is, and tell when that changes.

        ``newest`` is when it was made, 0 where there is none; then it counts from
        ``since`` on.
        """
        if plan.notify.stale is None:
            return
        age = self._now() - max(newest, since)
        key = plan.name, source
        stale = age > plan.notify.stale
        if stale == (key in self._stale):
            return
        said: dict[str, Any] = {"store": plan.name, "source": source, "newest": newest}
        if stale:
            self._stale.add(key)
            at = f"is of {_moment(newest)}" if newest else "does not exist"
            words = f"the newest valid backup of {source} {at}: that is too old"
            self._tell(plan, words, {"event": "stale", **said})
        else:
            self._stale.discard(key)
            words = f"the newest valid backup of {source} is young enough again"
            self._tell(plan, words, {"event": "fresh", **said})

    def stale(self) -> set[tuple[str, str]]:
        """Return the stores and sources whose newest valid vault is too old."""
        return set(self._stale)

    async def close(self) -> None:
        """Give up what is not sent."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _tell(self, plan: Plan, words: str, said: dict[str, Any]) -> None:
        log.warning("notify", action="notify", what=words)
        for hook in plan.notify.web:
            self._soon(web.post(hook, {**said, "text": words}, self._now))
        if plan.notify.mail is not None:
            self._soon(_mailed(plan.notify.mail, words, said, self._now()))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_logged(work), name="notify")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except SyncdError as error:
        log.warning("not told", action="notify", reason=str(error))


async def _mailed(mail: Mail, words: str, said: dict[str, Any], at: float) -> None:
    await asyncio.to_thread(_mail, mail, words, said, at)


def _mail(mail: Mail, words: str, said: dict[str, Any], at: float) -> None:
    facts = msgspec.json.format(msgspec.json.encode(said), indent=2).decode()
    send(mail, f"syncd: {printable(words)[:150]}", f"{words}\n\n{facts}\n", at)


def _said(event: str, job: Job) -> dict[str, Any]:
    kept = ("id", "kind", "state", "source", "store", "vault", "who", "created")
    also = ("started", "ended", "error", "reason", "schedule")
    told = msgspec.to_builtins(job)
    return {"event": event, "job": {key: told[key] for key in (*kept, *also)}}


def _title(job: Job) -> str:
    vault = f", vault {job.vault}" if job.vault else ""
    return f"the {job.kind} of {job.source}{vault}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
