"""What a worker does: each deed in terms of the contracts of vaults and sources."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec

from syncd import clock
from syncd.backup_sources.contract import Source
from syncd.child import making
from syncd.child.doing import (
    MOST,
    Counting,
    Doing,
    Entered,
    made,
    reason,
    reported,
    stoppable,
    together,
    whole,
)
from syncd.child.making import remembered
from syncd.core.backup import RestoreRequest, Restoring, VaultView
from syncd.core.errand import Deed, Done, Part
from syncd.core.job import Progress
from syncd.core.vault import Fault, Pin, Summary
from syncd.errors import BadRequest, Conflict, NotFound, StorageError, SyncdError
from syncd.vaults import opening
from syncd.vaults.contract import Vault, VaultStore


async def do(doing: Doing) -> Done:
    """Do the deed and return what came of it.

    Raise SyncdError, CancelledError when it was told to end, or a bug.
    """
    return await _DEEDS[doing.work.deed](doing)


async def _restore(doing: Doing) -> Done:
    request = msgspec.convert(doing.work.asked, RestoreRequest)
    source = doing.source()
    health = await source.health()
    if not health.reachable:
        words = f"the source cannot be reached: {health.detail or 'it does not answer'}"
        return Done(error=words, reason="unreachable", retry=True)
    wanted = Restoring(
        databases=request.databases,
        names=request.names,
        paths=request.paths,
        variables=request.variables,
        delete=request.delete,
        dry_run=request.dry_run,
        force=request.force,
    )
    if request.vault is None:
        if not getattr(source, "restores_alone", False):
            raise BadRequest("this source restores from a vault only; name one")
        # Such a source knows by itself where its copies are.
        report = await source.restore(wanted, cast("Vault", None), doing.say)
        return reported(report)
    store = await asyncio.to_thread(doing.store)
    vault = await asyncio.to_thread(store.get, doing.vault)
    async with Entered(store.lend(doing.vault, f"job {doing.work.id}")):
        try:
            done = reported(await source.restore(wanted, vault, doing.say))
        except StorageError as error:
            doing.say.line(f"failed: {error}")
            done = Done(error=str(error), reason=reason(error))
            if not await whole(vault.damage):
                raise
        return await _with_damage(doing, vault, done)


async def _with_damage(doing: Doing, vault: Vault, done: Done) -> Done:
    """Return what came of it with what was found to be wrong with the vault."""
    faults = await whole(vault.damage)
    if not faults:
        return done
    summary = await asyncio.to_thread(_summary, vault)
    for line in _lines(faults):
        doing.say.line(f"the vault is damaged: {line}")
    view = VaultView(summary=summary, damaged=_lines(faults))
    word = "damaged" if done.error else ""
    return msgspec.structs.replace(done, vaults=[view], reason=word)


def _summary(vault: Vault) -> Summary:
    """Return what a vault says of itself, or that it is no good."""
    try:
        return vault.summary()
    except StorageError as error:
        return Summary(name=vault.name, source="", made=0.0, failed=str(error))


def _lines(faults: Sequence[Fault]) -> list[str]:
    return [f"{fault.path}: {fault.trouble}" for fault in faults]


async def _evict(doing: Doing) -> Done:
    store = await asyncio.to_thread(doing.store)
    source = doing.source() if doing.work.source else None
    gone: list[str] = []
    failed: dict[str, str] = {}
    again = False
    known = set(await asyncio.to_thread(store.vaults))
    names = [str(name) for name in doing.work.asked["vaults"]]
    for number, name in enumerate(names):
        if doing.canceled():
            failed[name] = doing.canceled()
            continue
        doing.say.progress(Progress(items=number, total_items=len(names)))
        try:
            await _evict_one(doing, store, source, name, known)
        except (SyncdError, OSError) as error:
            failed[name] = str(error)
            # What is pinned or in use is not waited for.
            again = again or not isinstance(error, Conflict)
            doing.say.line(f"{name}: {error}")
        else:
            gone.append(name)
            doing.say.line(f"{name}: deleted")
    words = together(failed) or ""
    word = "storage" if again else "conflict"
    if doing.canceled():
        word = "canceled"
    return Done(
        result={"deleted": gone, "failed": failed},
        gone=gone,
        error=words,
        reason=word if words else "",
        retry=again and not doing.canceled(),
    )


async def _evict_one(
    doing: Doing, store: VaultStore, source: Source | None, name: str, known: set[str]
) -> None:
    """Delete one vault, or what was put aside under that name; gone is gone.

    Its source is told of none that stays because it is pinned or in use.
    """
    if name not in known:
        with suppress(NotFound):
            await whole(store.discard, name)
        return
    force = bool(doing.work.asked.get("force"))
    async with Entered(store.removing(name, force=force)):
        if source is not None:
            vault = await asyncio.to_thread(store.get, name)
            await source.evicted(vault, doing.say)


async def _verify(doing: Doing) -> Done:
    store = await asyncio.to_thread(doing.store)
    vault = await asyncio.to_thread(store.get, doing.vault)
    summary = await asyncio.to_thread(_summary, vault)
    count = Counting(doing, summary, "verifying")
    async with Entered(store.lend(doing.vault, f"job {doing.work.id}")):
        faults = await stoppable(lambda: vault.verify(count))
    lines = _lines(faults)
    for line in lines:
        doing.say.line(line)
    at = clock.timestamp()
    view = VaultView(summary=summary, verified=None if lines else at, damaged=lines)
    result = {"faults": lines[:MOST], "files": summary.files, "bytes": summary.bytes}
    words = f"{len(lines)} faults; first {lines[0]}" if lines else ""
    return Done(
        result=result, vaults=[view], error=words, reason="damaged" if lines else ""
    )


async def _drill(doing: Doing) -> Done:
    from syncd.child import drill  # noqa: PLC0415 - only drills need it

    store = await asyncio.to_thread(doing.store)
    vault = await asyncio.to_thread(store.get, doing.vault)
    summary = await asyncio.to_thread(_summary, vault)
    count = Counting(doing, summary, "restoring into scratch space")
    scratch = Path(doing.work.scratch)
    async with Entered(store.lend(doing.vault, f"job {doing.work.id}")):
        faults = await stoppable(lambda: drill.restored(vault, scratch, count))
        damaged = _lines(await whole(vault.damage)) or faults
    faults = faults or damaged
    for fault in faults:
        doing.say.line(fault)
    at = None if faults else clock.timestamp()
    result = {"faults": faults[:MOST], "files": summary.files, "bytes": summary.bytes}
    words = f"{len(faults)} faults; first {faults[0]}" if faults else ""
    view = VaultView(summary=summary, proven=at, damaged=damaged)
    return Done(
        result=result, vaults=[view], error=words, reason="damaged" if faults else ""
    )


async def _survey(doing: Doing) -> Done:
    """Say what the store holds; of vaults that are known already, only the marks.

    So of every store below the folder ``elsewhere``; where a name is found twice, the
    first counts. What cannot be looked into is named, and nothing is told of it.
    """
    store = await asyncio.to_thread(doing.store)
    known = set(doing.work.asked.get("known", []))
    elsewhere = Path(str(doing.work.asked.get("elsewhere", "")))

    def look() -> Done:
        found = _Found()
        found.take(doing, store, "", known)
        for path in opening.below(elsewhere) if elsewhere.name else ():
            folder = path.relative_to(elsewhere).as_posix()
            part = cast("Part", doing.work.store)
            options = {**part.options, "path": str(path)}
            try:
                one = cast("VaultStore", made(Part(part.reference, options)))
                found.take(doing, one, folder, known)
            except (SyncdError, OSError) as error:
                doing.say.line(f"{folder}: {error}")
                continue
            found.looked.append(folder)
        return Done(
            result={
                "names": found.names,
                "pins": msgspec.to_builtins(found.pins),
                "folders": found.folders,
                "looked": found.looked,
                "checks": found.checks,
                "unreadable": found.unreadable,
            },
            vaults=found.views,
            aside=sorted(found.aside),
        )

    return await whole(look)


class _Found:
    """What was found in stores that were looked into."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.views: list[VaultView] = []
        self.pins: dict[str, Pin] = {}
        self.aside: list[str] = []
        self.folders: dict[str, str] = {}
        """Of vaults, and what lies aside, in folders of their own."""
        self.looked: list[str] = []
        """The folders that were looked into."""
        self.checks: dict[str, tuple[float, list[str]]] = {}
        """When known vaults were last looked through, and what was wrong."""
        self.unreadable: dict[str, str] = {}

    def take(
        self, doing: Doing, store: VaultStore, folder: str, known: set[str]
    ) -> None:
        """Look into a store; raise StorageError and have taken nothing of it."""
        for name in store.quarantine():
            doing.say.line(f"{name}: was never finished, and is put aside")
        before = {*self.names, *self.aside}
        names = [name for name in store.vaults() if name not in before]
        aside = [name for name in store.quarantined() if name not in before]
        pins = store.pins()
        checks = {
            name: (checked.at, _lines(checked.faults[:MOST]))
            for name, checked in store.checks().items()
            if name in known and name in names
        }
        views = [
            msgspec.structs.replace(self._seen(store, name), folder=folder)
            for name in names
            if name not in known
        ]
        self.names += names
        self.aside += aside
        self.views += views
        self.pins |= {name: pin for name, pin in pins.items() if name in names}
        self.checks |= checks
        if folder:
            self.folders |= dict.fromkeys([*names, *aside], folder)

    def _seen(self, store: VaultStore, name: str) -> VaultView:
        try:
            return _found(store, name)
        except SyncdError as error:
            self.unreadable[name] = str(error)
            lost = Summary(name=name, source="", made=0.0, failed=str(error))
            return VaultView(summary=lost, damaged=[str(error)])


def _found(store: VaultStore, name: str) -> VaultView:
    """Return what a vault and its store say of it; raise StorageError."""
    vault = store.get(name)
    view = remembered(vault.summary())
    checked = store.checked(name)
    if checked is None:
        return msgspec.structs.replace(view, size=vault.size())
    damaged = _lines(checked.faults)
    verified = None if damaged else checked.at
    return msgspec.structs.replace(
        view, size=vault.size(), damaged=damaged, verified=verified
    )


async def _mend(doing: Doing) -> Done:
    mend = getattr(doing.source(), "mend", None)
    # Most sources leave nothing half done that they could take back.
    return Done(result={"said": await mend(doing.say) if mend else ""})


async def _health(doing: Doing) -> Done:
    health = await doing.source().health()
    return Done(result={"health": msgspec.to_builtins(health)})


async def _pin(doing: Doing) -> Done:
    store = await asyncio.to_thread(doing.store)
    pin = msgspec.convert(doing.work.asked["pin"], Pin | None)
    await whole(store.pin, doing.vault, pin)
    return Done()


async def _download(doing: Doing) -> Done:
    # What it loads takes as long as all that every other deed loads.
    from syncd.child import archives  # noqa: PLC0415

    store = await asyncio.to_thread(doing.store)
    vault = await asyncio.to_thread(store.get, doing.vault)
    socket = Path(str(doing.work.asked["socket"]))
    form = msgspec.convert(doing.work.asked.get("form"), Part | None)

    def pieces() -> Iterator[bytes] | None:
        return None if form is None else cast("Iterator[bytes]", made(form, vault))

    def length(size: int | None) -> None:
        doing.say.progress(Progress(total_bytes=size))

    async with Entered(store.lend(doing.vault, "a download")):
        try:
            await stoppable(
                lambda: archives.given(vault, socket, doing.stopping, length, pieces())
            )
        finally:
            await whole(vault.damage)
    return Done()


async def _borg(doing: Doing) -> Done:
    from syncd.child import borg  # noqa: PLC0415 - only Borg needs it

    return await borg.done(doing)


_DEEDS: dict[Deed, Callable[[Doing], Awaitable[Done]]] = {
    Deed.BACKUP: making.back_up,
    Deed.RESTORE: _restore,
    Deed.EVICT: _evict,
    Deed.VERIFY: _verify,
    Deed.DRILL: _drill,
    Deed.UPLOAD: making.upload,
    Deed.SURVEY: _survey,
    Deed.MEND: _mend,
    Deed.HEALTH: _health,
    Deed.PIN: _pin,
    Deed.DOWNLOAD: _download,
    Deed.BORG: _borg,
}
