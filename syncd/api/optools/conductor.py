"""Restores, from asking to telling their end: several jobs under one id.

What is sent becomes a vault. Before anything is restored, what there is becomes one,
too; if the restore fails, that is brought back. Each step is a job that is kept before
it runs, under a key that makes asking twice asking once; so a daemon that is started
again goes on where it was.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import structlog
from msgspec.structs import replace

from syncd.api.backups import Backups
from syncd.api.manners import OpToolsManners
from syncd.api.optools import hooks, shapes
from syncd.api.optools.requests import refused
from syncd.core.backup import BackupRequest, RestoreRequest
from syncd.core.job import Job, Kind, State
from syncd.core.vault import Pin
from syncd.errors import Conflict, NoRoom, SyncdError
from syncd.store import attachments, transactions
from syncd.store.database import Store
from syncd.store.transactions import Transaction

AHEAD = 3600
"""Names that are tried for a vault of what was sent: one for each second."""

OURS = "syncd"
LONGEST = 7 * 86_400.0
"""Seconds that a vault which is being restored stays pinned, whatever happens."""

AGAIN = 5.0
"""Seconds until what could not be recorded is tried again."""

RESTARTS = 10
"""How many of them a step outlives that may be done twice."""

INTERRUPTED = "interrupted"
"""Why a job has failed under which the daemon went down."""

log = structlog.get_logger(__name__)


class Conductor:
    """Restores one backup after the other while it is entered."""

    def __init__(
        self,
        backups: Backups,
        store: Store,
        manners: OpToolsManners,
        *,
        now: Callable[[], float],
        name: Callable[[int], str],
        after: Callable[[], Awaitable[str]],
    ) -> None:
        """Take the engine, and what puts in force what was restored.

        ``after`` returns why that cannot be, empty if it can; then all is taken back.
        ``name`` gives names for vaults: of this moment, and so many seconds later.
        """
        self.turn = asyncio.Lock()
        """Held by whoever begins something of which there is one at a time."""
        self._backups = backups
        self._store = store
        self._manners = manners
        self._now = now
        self._name = name
        self._after = after
        self._pending: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Go on with what was begun before."""
        for one in await self._store.read(transactions.unfinished):
            self._go_on(one)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # Attachments.

    async def attach(self, vault: str, name: str, content: bytes) -> None:
        """Keep what is attached to a backup; forget what was to those that are gone."""
        # In this order: what somebody attaches meanwhile is not among those before,
        # and a backup that ends meanwhile is among the vaults.
        before = await self._store.read(attachments.backups, STORE)
        _, jobs = await self._backups.jobs(kind=Kind.BACKUP, limit=shapes.LATEST)
        known = {vault, *(str(job.vault) for job in jobs if shapes.is_listed(job))}
        known |= {view.summary.name for view in await self._backups.vaults()}
        if gone := [backup for backup in before if backup not in known]:
            await self._store.run(attachments.forget, STORE, gone)
        await self._store.run(attachments.put, STORE, vault, name, content)

    async def attached(self, vault: str) -> Sequence[str]:
        """Return the names of what is attached."""
        return await self._store.read(attachments.names, STORE, vault)

    async def attachment(self, vault: str, name: str) -> bytes:
        """Return what is attached under a name."""
        return await self._store.read(attachments.get, STORE, vault, name)

    # Restores.

    def check_free(self) -> None:
        """Raise Refused while a restore goes on."""
        if self._pending:
            raise refused("already_in_progress")

    async def transaction(self, id_: str) -> Transaction:
        """Return one; raise NotFound."""
        return await self._store.read(transactions.get, id_)

    async def transactions(
        self, skip: int, limit: int
    ) -> tuple[int, Sequence[Transaction]]:
        """Return how many there are, and some: first those that pend."""
        return await self._store.read(transactions.page, skip, limit)

    async def restore_sent(
        self,
        archive: Path,
        *,
        skip: Mapping[str, list[str]],
        hook: str,
        who: str,
        by: str,
    ) -> Transaction:
        """Begin to restore an archive, which stays where it is.

        Raise Refused, Conflict or Unavailable.
        """
        hooks.check(hook)
        job = await self._uploaded(archive, who)
        one = self._made(who, by, hook, {"skip": dict(skip), "vault": job.vault})
        return await self._begin(replace(one, jobs={"upload": job.id}))

    async def restore(
        self, vault: str, *, skip: Mapping[str, list[str]], hook: str, who: str, by: str
    ) -> Transaction:
        """Begin to restore a vault."""
        hooks.check(hook)
        return await self._begin(
            self._made(who, by, hook, {"skip": dict(skip), "vault": vault})
        )

    async def _uploaded(self, archive: Path, who: str) -> Job:
        for later in range(AHEAD):
            name = f"{shapes.SENT}_{self._name(later)}"
            # Whatever comes of it, an archive that is handed in is gone.
            tried = archive.with_name(f"{archive.name}-{later}")
            try:
                await asyncio.to_thread(shutil.copy, archive, tried)
                return await self._backups.upload(name, tried, partial=True, who=who)
            except OSError as error:
                raise NoRoom(f"the backup cannot be kept: {error.strerror}") from None
            except Conflict:
                continue
            finally:
                await asyncio.to_thread(tried.unlink, True)
        raise Conflict("every name for a vault is taken for now; ask again later")

    def _made(self, who: str, by: str, hook: str, asked: dict[str, Any]) -> Transaction:
        now = self._now()
        id_ = uuid4().hex
        return Transaction(
            id=id_, by=by, who=who, started=now, updated=now, hook=hook, asked=asked
        )

    async def _begin(self, one: Transaction) -> Transaction:
        await self._store.run(transactions.put, one)
        self._go_on(one)
        return one

    def _go_on(self, one: Transaction) -> None:
        if one.pends:
            self._pending.add(one.id)
        task = asyncio.create_task(self._conduct(one), name=f"restore {one.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _conduct(self, one: Transaction) -> None:
        if one.pends:
            try:
                one = await self._done(one)
            except SyncdError as error:
                one = self._ended(one, [f"restoring failed: {error}"])
            except Exception:
                log.exception("bug", action="restore", transaction=one.id)
                one = self._ended(one, ["restoring failed: this is a bug, see the log"])
            one = await self._kept(one)
            self._pending.discard(one.id)
            await self._cleared(one)
        if one.hook and not one.told:
            said = shapes.transaction(one, self._now())
            trouble = await hooks.post(
                one.hook, one.id, said, private=self._manners.private_hooks
            )
            if trouble:
                log.warning("web hook failed", action="restore", reason=trouble)
            await self._kept(replace(one, told=True))

    async def _done(self, one: Transaction) -> Transaction:
        """Do the steps; return how it ended."""
        vault = str(one.asked["vault"])
        if "upload" in one.jobs:
            job = await self._end_of(one.jobs["upload"])
            if job.state is not State.SUCCESSFUL:
                why = job.error or str(job.state)
                return self._ended(one, [f"the backup that was sent is no good: {why}"])
        # The safety backup may be the one that the policy gives it up for.
        async with self._pinned(vault):
            return await self._exchanged(one, vault)

    @asynccontextmanager
    async def _pinned(self, vault: str) -> AsyncIterator[None]:
        """Have a vault stay for as long as this goes on."""
        view = await self._backups.vault(vault)
        if view.pin is None or view.pin.by == OURS:
            await self._pin(vault, "a restore needs it", OURS)
        try:
            yield
        except asyncio.CancelledError:
            raise  # At the next start it goes on, and needs it still.
        except BaseException:
            await self._unpin(vault)
            raise
        await self._unpin(vault)

    async def _pin(self, vault: str, why: str, who: str) -> None:
        now = self._now()
        await self._backups.pin(vault, Pin(why, who, now, now + LONGEST), who=OURS)

    async def _unpin(self, vault: str) -> None:
        """Take our pin away; what somebody else has pinned meanwhile stays so."""
        with suppress(SyncdError):
            pin = (await self._backups.vault(vault)).pin
            if pin is not None and pin.by == OURS:
                await self._backups.pin(vault, None, who=OURS)

    async def _exchanged(self, one: Transaction, vault: str) -> Transaction:
        """Save what there is, and restore."""
        one, safety = await self._insisted(one, "safety", self._save)
        if safety.state is not State.SUCCESSFUL:
            why = safety.error or str(safety.state)
            words = f"no safety backup could be made, and nothing was restored: {why}"
            return self._ended(one, [words])
        # Backups that are made meanwhile may have the policy give it up.
        async with self._pinned(str(safety.vault)):
            return await self._restored(one, vault, str(safety.vault))

    async def _restored(self, one: Transaction, vault: str, safety: str) -> Transaction:
        """Restore, and take that back if it fails."""
        one, job = await self._step(one, "restore", partial(self._restore, one, vault))
        words = f"restoring failed: {job.error or job.state}"
        if job.state is State.SUCCESSFUL:
            trouble = await self._after()
            if not trouble:
                return self._ended(one, [], status="success")
            words = f"what was restored cannot be put in force: {trouble}"
        one = await self._kept(replace(one, status="undoing", messages=[words]))
        one, back = await self._insisted(one, "undo", partial(self._undo, one, safety))
        if back.state is State.SUCCESSFUL:
            await self._after()
            more = f"what there was before is back, from {safety}"
        else:
            why = "what there was before a restore that could not be taken back"
            with suppress(SyncdError):
                await self._pin(safety, why, one.who)
            more = (
                f"it could not be taken back: {back.error}; what there was before is in"
                f" the vault {safety}"
            )
        return self._ended(one, [words, more])

    async def _step(
        self, one: Transaction, name: str, ask: Callable[[str], Awaitable[Job]]
    ) -> tuple[Transaction, Job]:
        """Have a step done, if that was not asked for before; return its job's end."""
        if name not in one.jobs:
            job = await ask(f"{one.id} {name}")
            one = await self._kept(replace(one, jobs={**one.jobs, name: job.id}))
        return one, await self._end_of(one.jobs[name])

    async def _insisted(
        self, one: Transaction, name: str, ask: Callable[[str], Awaitable[Job]]
    ) -> tuple[Transaction, Job]:
        """Have a step done that may be done twice: again if a restart ended it."""
        one, job = await self._step(one, name, ask)
        for number in range(2, RESTARTS + 2):
            if job.reason != INTERRUPTED:
                break
            one, job = await self._step(one, f"{name} {number}", ask)
        return one, job

    async def _save(self, key: str) -> Job:
        request = BackupRequest(
            variables={"missing": True}, flags={shapes.SAFETY: True}
        )
        return await self._backups.back_up(request, who=OURS, key=key)

    async def _restore(self, one: Transaction, vault: str, key: str) -> Job:
        names = self._manners.databases
        variables: dict[str, Any] = {"skip": one.asked["skip"], "undo": True}
        if {"components", "system"} <= names.keys():
            variables["white_list"] = {
                role: names[role] for role in ("components", "system")
            }
        request = RestoreRequest(vault=vault, variables=variables)
        return await self._backups.restore(request, who=one.who, key=key)

    async def _undo(self, one: Transaction, vault: str, key: str) -> Job:
        # Nothing is deleted: somebody may have made it meanwhile.
        request = RestoreRequest(vault=vault)
        return await self._backups.restore(request, who=one.who, key=key)

    async def _end_of(self, id_: str) -> Job:
        while not (job := await self._backups.job(id_)).state.final:
            await self._backups.changed(id_)
        return job

    def _ended(
        self, one: Transaction, messages: list[str], status: str = "error"
    ) -> Transaction:
        now = self._now()
        return replace(one, status=status, messages=messages, ended=now, updated=now)

    async def _kept(self, one: Transaction) -> Transaction:
        """Record how it goes, however long that takes."""
        one = replace(one, updated=self._now())
        while True:
            try:
                await self._store.run(transactions.put, one)
            except SyncdError as error:
                log.warning("not recorded", action="restore", reason=str(error))
                await asyncio.sleep(AGAIN)
            else:
                return one

    async def _cleared(self, one: Transaction) -> None:
        """Delete the vault of what was sent, which has served."""
        if "upload" not in one.jobs:
            return
        try:
            await self._backups.evict(str(one.asked["vault"]), who=OURS)
        except SyncdError as error:
            log.info("vault stays", action="restore", reason=str(error))


STORE = "optools"
"""Name of the store whose backups have attachments."""
