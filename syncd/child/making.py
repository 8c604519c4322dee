"""Deeds that make a vault: of a source, and of an archive that somebody sent."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from syncd import clock
from syncd.backup_sources.contract import Source
from syncd.child.doing import (
    Doing,
    Entered,
    reason,
    said,
    stoppable,
    together,
    told,
    uncancel,
    whole,
)
from syncd.core.backup import BackupRequest, Report, VaultView, Wanted
from syncd.core.errand import Done
from syncd.core.job import Progress
from syncd.core.vault import Summary
from syncd.errors import BadRequest, NotFound, SyncdError
from syncd.vaults.contract import Staging, VaultStore

OURS = "syncd"
"""Under this word a vault's origin holds what we, not its source, say of it."""


async def back_up(doing: Doing) -> Done:
    """Read the source into a vault; a failed one if it cannot all be read."""
    source = doing.source()
    health = await source.health()
    if not health.reachable:
        words = f"the source cannot be reached: {health.detail or 'it does not answer'}"
        return Done(error=words, reason="unreachable", retry=True)
    store = await asyncio.to_thread(doing.store)
    request = msgspec.convert(doing.work.asked, BackupRequest)
    begun = clock.monotonic()

    async def read(staging: Staging) -> Report:
        wanted = Wanted(databases=request.databases, variables=request.variables)
        return await source.back_up(wanted, staging, doing.say)

    sealed, report, failure = await _staged(doing, store, request, begun, read)
    size = await _size(store, sealed.name)
    view = replace(view_of(sealed, request), size=size)
    if sealed.failed is None:
        view = replace(view, summary=await _listed(doing, store, source, sealed))
    if request.pin is not None:
        await asyncio.to_thread(store.pin, doing.vault, request.pin)
    result = {**told(report), "vault": doing.vault}
    if sealed.failed is None:
        return Done(result=result, vaults=[view])
    word = "canceled" if view.canceled else reason(failure) if failure else "failed"
    return Done(result=result, vaults=[view], error=sealed.failed, reason=word)


async def _staged(
    doing: Doing,
    store: VaultStore,
    request: BackupRequest,
    begun: float,
    read: Callable[[Staging], Awaitable[Report]],
) -> tuple[Summary, Report, Exception | None]:
    """Have a vault filled and sealed, as a failed one if it cannot be filled.

    What is wanted wrongly, or is not there, makes no vault.
    """
    stage = store.stage(doing.vault, doing.work.source_name, job=doing.work.id)
    async with Entered(stage) as staging:
        doing.say.also(staging.log)
        failure: Exception | None = None
        failed: str | None = None
        report = Report()
        try:
            report = await read(staging)
            failed = together(report.failed)
        except asyncio.CancelledError:
            why = doing.canceled()
            if not why:
                raise
            failed = why
            uncancel()
        except (BadRequest, NotFound):
            raise
        except Exception as error:  # noqa: BLE001 - kept with the vault, and told
            failure, failed = error, said(error)
        if failed is not None:
            doing.say.line(f"failed: {failed}")
        doing.say.progress(Progress(phase="sealing"))
        summary = _summary(doing, request, report, failed, clock.monotonic() - begun)
        doing.say.also(None)
        sealed = await whole(staging.seal, summary)
    return sealed, report, failure


def _summary(
    doing: Doing,
    request: BackupRequest,
    report: Report,
    failed: str | None,
    seconds: float,
) -> Summary:
    ours = {
        "job": doing.work.id,
        "who": doing.work.who,
        "canceled": bool(failed and doing.canceled()),
        "flags": request.flags,
        "folder": request.folder,
    }
    return Summary(
        name=doing.vault,
        source=doing.work.source_name,
        made=doing.work.made,
        origin={**report.origin, OURS: ours},
        databases=report.databases if request.databases is not None else None,
        listed=report.databases,
        partial=request.databases is not None,
        seconds=seconds,
        torn=report.torn,
        variables=request.variables,
        failed=failed,
        exit_code=report.exit_code,
    )


async def _size(store: VaultStore, name: str) -> int:
    return await asyncio.to_thread(lambda: store.get(name).size())


async def _listed(
    doing: Doing, store: VaultStore, source: Source, sealed: Summary
) -> Summary:
    """Return the summary with what the source says can be restored from the vault."""
    try:
        vault = await asyncio.to_thread(store.get, sealed.name)
        return replace(sealed, listed=list(await source.listed(vault)))
    except SyncdError as error:
        doing.say.line(f"what it holds cannot be listed: {error}")
        return sealed


async def upload(doing: Doing) -> Done:
    """Make a vault of an archive, which is gone afterwards."""
    from syncd.vaults import uploads  # noqa: PLC0415 - only uploads need it

    archive = Path(str(doing.work.asked["archive"]))
    request = BackupRequest(
        databases=[] if doing.work.asked.get("partial") else None,
        source=doing.work.source_name,
    )
    store = await asyncio.to_thread(doing.store)
    begun = clock.monotonic()

    async def read(staging: Staging) -> Report:
        doing.say.progress(Progress(phase="unpacking"))
        taken = await stoppable(lambda: uploads.take_in(archive, staging.folder))
        doing.say.line(f"{taken} members taken in")
        names = await whole(
            lambda: sorted(one.name for one in staging.folder.iterdir())
        )
        return Report(databases=names)

    try:
        sealed, report, failure = await _staged(doing, store, request, begun, read)
    finally:
        await whole(lambda: archive.unlink(missing_ok=True))
    size = await _size(store, sealed.name)
    view = replace(view_of(sealed, request), size=size)
    if sealed.failed is not None:
        word = "canceled" if view.canceled else reason(failure) if failure else "failed"
        return Done(vaults=[view], error=sealed.failed, reason=word)
    if doing.work.source is not None:
        listed = await _listed(doing, store, doing.source(), sealed)
        view = replace(view, summary=listed)
    return Done(result={**told(report), "vault": doing.vault}, vaults=[view])


def remembered(summary: Summary) -> VaultView:
    """Return what a vault says of itself that is no part of its summary."""
    ours = summary.origin.get(OURS, {})
    return VaultView(
        summary=summary,
        flags=ours.get("flags", {}),
        folder=ours.get("folder", ""),
        canceled=ours.get("canceled", False),
    )


def view_of(sealed: Summary, request: BackupRequest) -> VaultView:
    """Return what is known of a vault that was just made."""
    return replace(remembered(sealed), pin=request.pin)
