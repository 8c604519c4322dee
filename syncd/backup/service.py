"""Where work is asked for: the job engine as dialects see it, one for each store."""

import asyncio
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from syncd.backup import names, records, retaining
from syncd.backup.plan import Plan, Timed
from syncd.backup.policies import Policies
from syncd.backup.runner import Runner
from syncd.backup.shelf import Shelf
from syncd.core import job as life
from syncd.core.backup import BackupRequest, RestoreRequest, Sounded, VaultView
from syncd.core.errand import Deed
from syncd.core.job import Event, Job, Kind, State
from syncd.core.retention import Decision
from syncd.core.vault import Pin
from syncd.errors import BadRequest, Conflict, NotFound, StorageError, Unavailable

URGENT = 10
"""Priority of what somebody waits for."""

Wish = tuple[Job, Iterator[str] | None]
"""A job, and the names that its vault may have."""

LONGEST_KEY = 200
LONGEST_FOLDER = 500


class Service(Shelf):
    """One store's backups; see api.backups.Backups for what each call promises."""

    def __init__(self, plan: Plan, runner: Runner, run: Path) -> None:
        """Ask the runner; ``run`` is the folder of sockets."""
        super().__init__(plan, runner, run)
        self._policies = Policies(plan, runner, self.vaults)
        runner.after.append(self._retain)

    async def opened(self) -> None:
        """Take in what was chosen before."""
        await self._policies.opened()

    # Asking.

    async def back_up(
        self, request: BackupRequest, *, who: str, key: str | None = None
    ) -> Job:
        """Keep the request and return its job, whose vault has its name already."""
        request = replace(request, source=self._source(request.source))
        _check_folder(request.folder)
        job = self._job(Kind.BACKUP, request, who, key)
        made = names.names(request.prefix, job.created, self._plan.zone)
        return await self._runner.ask(job, made)

    async def restore(
        self,
        request: RestoreRequest,
        *,
        who: str,
        key: str | None = None,
        refused: str = "",
    ) -> Job:
        """Keep the request and return its job, which has failed if it is refused."""
        request = replace(request, source=self._source(request.source))
        _check_folder(request.folder)
        if request.vault is not None:
            view = await self.vault(request.vault, folder=request.folder)
            if view.folder != request.folder:
                raise NotFound(
                    f"vault {request.vault} not found; it is in the folder"
                    f" {view.folder}, which must be named to restore from it"
                )
            if not (view.valid or request.force):
                why = view.summary.failed or "it was canceled"
                why = f"it is damaged: {view.damaged[0]}" if view.damaged else why
                raise Conflict(
                    f"vault {request.vault} is no good ({why}); restore another, or"
                    " force it"
                )
        job = self._job(Kind.RESTORE, request, who, key)
        job = replace(job, vault=request.vault)
        if refused:
            job = life.ended(
                job, Event.FAIL, job.created, error=refused, reason="refused"
            )
        return await self._runner.ask(job)

    async def check(self, vault: str, *, kind: Kind, who: str) -> Job:
        """Keep that a vault is to be verified, or restored in a drill; its job."""
        view = await self.vault(vault)
        asked = {"folder": view.folder}
        job = self._job(kind, None, who, None, source=view.summary.source)
        return await self._runner.ask(replace(job, vault=vault, asked=asked))

    async def upload(self, name: str, archive: Path, *, partial: bool, who: str) -> Job:
        """Make a vault of an archive, which is moved from there; return the job."""
        names.checked(name)
        job = self._job(Kind.UPLOAD, None, who, None, source=self._plan.default)
        kept = self._runner.logs.archive(job.id)
        asked = {"archive": str(kept), "partial": partial}
        job = replace(job, vault=name, asked=asked)
        try:
            await asyncio.to_thread(_move, archive, kept)
        except OSError as error:
            raise Unavailable(f"the archive cannot be kept: {error.strerror}") from None
        try:
            job = await self._store.run(records.ask_this, job, self._plan.queue)
        except BaseException:
            await asyncio.to_thread(kept.unlink, True)
            raise
        self._runner.asked(job)
        return job

    # Giving up.

    async def evict(self, vault: str, *, who: str, folder: str = "") -> None:
        """Delete one vault, pinned or not: a person named it."""
        source = self._plan.default
        aside = await self._store.read(records.aside, self._plan.name)
        if vault in aside:
            folder = aside[vault]
        else:
            view = await self.vault(vault, folder=folder)
            source = view.summary.source
        user = self._runner.used(self._plan.name).get(vault)
        if user is not None:
            raise Conflict(f"vault {vault} is in use by the {user.kind} {user.id}")
        asked = {"vaults": [vault], "force": True, "folder": folder}
        job = self._job(Kind.EVICT, None, who, None, source=source)
        job = replace(job, asked=asked, priority=URGENT)
        job = await self._runner.ended((await self._runner.ask(job)).id)
        if job.reason == "conflict":
            raise Conflict(f"vault {vault} was not deleted: {job.error}")
        if job.state is not State.SUCCESSFUL:
            raise StorageError(f"vault {vault} was not deleted: {job.error}")

    async def evict_by_policy(
        self, *, who: str, dry_run: bool = False
    ) -> list[Decision]:
        """Delete what the policies give up; return what was decided of each vault."""
        decisions = await self._policies.judged()
        said = [decision for _, decision in decisions]
        if dry_run:
            return said
        asked = [
            await self._runner.ask(job)
            for job in self._evictions(decisions, who, URGENT)
        ]
        kept: dict[str, str] = {}
        for job in asked:
            ended = await self._runner.ended(job.id)
            if ended.state is not State.SUCCESSFUL:
                raise StorageError(f"not all was deleted: {ended.error}")
            kept |= ended.result.get("kept", {})
        return [
            replace(one, keep=True, reason=kept[one.vault])
            if one.vault in kept
            else one
            for one in said
        ]

    def policies(self) -> dict[str, str]:
        """Return the policies in force: ``full`` and ``partial``."""
        return self._policies.texts()

    async def use_policy(self, which: str, policy: str, *, who: str) -> None:
        """Put a policy in force and keep it; raise BadRequest and change nothing."""
        await self._policies.use(which, policy)

    async def pin(self, name: str, pin: Pin | None, *, who: str) -> None:
        """Pin a vault or take the pin away; raise NotFound."""
        view = await self.vault(name)
        done = await self._runner.work(
            self._plan,
            Deed.PIN,
            id=f"pin-{uuid4()}",
            folder=view.folder,
            vault=name,
            asked={"pin": msgspec.to_builtins(pin)},
            who=who,
        )
        if done.error:
            raise Unavailable(f"vault {name} was not pinned: {done.error}")
        await self._store.run(records.pin, self._plan.name, name, pin)

    async def cancel(self, id: str, *, who: str) -> Job:
        """Have a job end; raise NotFound, or Conflict if it has ended."""
        return await self._runner.cancel((await self.job(id)).id, who)

    def sounded(self) -> dict[str, Sounded]:
        """Return how sources were when they were asked last, by name."""
        known = self._runner.sounding.look().items()
        return {key[1]: one for key, one in known if key[0] == self._plan.name}

    # How.

    def _source(self, name: str) -> str:
        name = self._plan.default if name == "default" else name
        if name not in self._plan.sources:
            known = ", ".join(self._plan.sources) or "none"
            raise NotFound(f"source {name} not found; configured: {known}")
        return name

    def _job(
        self,
        kind: Kind,
        request: BackupRequest | RestoreRequest | None,
        who: str,
        key: str | None,
        source: str = "",
    ) -> Job:
        if key is not None and not 0 < len(key) <= LONGEST_KEY:
            raise BadRequest(
                f"an idempotency key has from 1 to {LONGEST_KEY} characters"
            )
        timeout = self._plan.timeouts.get(kind)
        if request is not None and request.timeout is not None:
            timeout = request.timeout
        return Job(
            id=str(uuid4()),
            kind=kind,
            asked=msgspec.to_builtins(request) if request else {},
            source=request.source if request else source,
            store=self._plan.name,
            priority=request.priority if request else 0,
            who=who,
            created=self._runner.now(),
            timeout=timeout,
            key=key,
        )

    async def wanted(self, timed: Timed) -> list[Wish]:
        """Return the jobs that a schedule asks for at its time."""
        who = f"schedule {timed.name}"
        if timed.kind is Kind.BACKUP:
            if await self._is_fresh(timed):
                return []
            job = self._job(Kind.BACKUP, timed.request(), who, None)
            made = names.names("", job.created, self._plan.zone)
            return [(replace(job, schedule=timed.name), made)]
        chosen = _to_check(timed, await self.vaults())
        if chosen is None:
            return []
        job = self._job(timed.kind, None, who, None, source=timed.source)
        asked = {"folder": chosen.folder}
        vault = chosen.summary.name
        return [(replace(job, vault=vault, asked=asked, schedule=timed.name), None)]

    def _evictions(
        self, decisions: list[tuple[VaultView, Decision]], who: str, priority: int
    ) -> list[Job]:
        evictions = []
        for source, dropped in retaining.given_up(decisions).items():
            asked: dict[str, Any] = {
                "vaults": [one.vault for one in dropped],
                "why": {one.vault: one.reason for one in dropped},
            }
            job = self._job(Kind.EVICT, None, who, None, source=source)
            evictions.append(replace(job, asked=asked, priority=priority))
        return evictions

    async def _is_fresh(self, timed: Timed) -> bool:
        """Tell whether there is a vault that makes another one needless."""
        now = self._runner.now()
        since = now - timed.unless_younger
        # What was made later than now was made by a clock that was ahead.
        return timed.unless_younger > 0 and any(
            view.valid and since < view.summary.made <= now
            for view in await self.vaults()
            if view.summary.source == timed.source and not view.summary.partial
        )

    async def _retain(self, job: Job) -> None:
        """Give up what the policies do not keep, after a backup that went well."""
        mine = job.store == self._plan.name and job.kind.makes
        if mine and job.state is State.SUCCESSFUL:
            for eviction in self._evictions(await self._policies.judged(), "syncd", 0):
                await self._runner.ask(eviction)


def _check_folder(folder: str) -> None:
    parts = PurePosixPath(folder).parts
    bad = {"/", "..", "."} & set(parts) or "\0" in folder
    if folder and (bad or len(folder) > LONGEST_FOLDER):
        raise BadRequest(f"the folder {folder[:40]!r} must be a path below the store's")


def _to_check(timed: Timed, views: list[VaultView]) -> VaultView | None:
    """Return the vault to check: the newest, or what was not verified for longest."""
    valid = [
        view for view in views if view.valid and view.summary.source == timed.source
    ]
    if timed.kind is Kind.DRILL:
        return max(valid, key=lambda view: view.summary.made, default=None)
    order = sorted(valid, key=lambda view: -view.summary.made)
    return min(order, key=lambda view: view.verified or 0.0, default=None)


def _move(source: Path, target: Path) -> None:
    source.replace(target)
    target.chmod(0o600)
