"""Brings contents of a vault back to entries, or says what would be done."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec import Struct

from syncd.backup_sources.contract import Storage, Tell
from syncd.backup_sources.entries.carrying import carry_out
from syncd.backup_sources.entries.contents import CHUNK, Content, Contents, Reading
from syncd.backup_sources.entries.items import path_of
from syncd.backup_sources.entries.opening import opened
from syncd.backup_sources.entries.planning import (
    BLOCKED,
    Deed,
    Plan,
    Step,
    compared,
    plan,
    told,
)
from syncd.backup_sources.entries.tally import Tally
from syncd.core.backup import Report, Restoring
from syncd.core.file import Kind, Seen
from syncd.core.path import checked, readable
from syncd.core.vault import Item
from syncd.drivers.contract import Driver
from syncd.errors import BadRequest, ConfigError, NotFound, StorageError
from syncd.vaults.contract import Vault

MOST_LINES = 1000
"""Lines of a plan that are told."""

_AT_ONCE = 128


class Way(Struct, frozen=True):
    """What goes from a vault to one entry."""

    database: str
    entry: str
    below: list[str]
    """Only these paths of the vault, and what is below them; empty: all."""


async def restore(
    entries: Mapping[str, Storage], wanted: Restoring, vault: Vault, tell: Tell
) -> Report:
    """Write what is wanted to the entries; see contract.Source.restore."""
    summary = await asyncio.to_thread(vault.summary)
    ways = _ways(entries, wanted, summary.listed, vault.name)
    items = [await asyncio.to_thread(_items, vault, way) for way in ways]
    counts: dict[str, int] = {}
    failed: dict[str, str] = {}
    lines: list[str] = []
    tally = Tally(tell.progress, "comparing")
    for way, some in zip(ways, items, strict=True):
        try:
            async with opened(entries[way.entry]) as driver:
                made = await _planned(driver, way, some, wanted.delete, tally)
                if wanted.dry_run:
                    done, troubles = made.counts(), _blocked(way, made)
                    more = MOST_LINES - len(lines)
                    lines += islice(told(way.entry, made), more)
                else:
                    done, troubles = await carry_out(
                        driver, made, vault, tally, before=f"{way.entry}/"
                    )
        except (StorageError, ConfigError) as error:
            failed[way.entry] = str(error)
            continue
        tally.tell()
        failed |= troubles
        counts = {deed: counts.get(deed, 0) + done[deed] for deed in done}
    for path, why in list(failed.items())[:MOST_LINES]:
        tell.line(f"cannot be restored: {path}: {why}")
    return Report(
        databases=[way.database for way in ways],
        origin={"kind": "entries"},
        failed=failed,
        changed=counts,
        plan=lines,
    )


def _ways(
    entries: Mapping[str, Storage], wanted: Restoring, listed: Sequence[str], name: str
) -> list[Way]:
    """Return what goes where; raise BadRequest or NotFound."""
    databases = _databases(wanted, listed, name)
    below = _below(wanted.paths, databases)
    ways = [
        Way(one, wanted.names.get(one, one), below.get(one, []))
        for one in databases
        if not wanted.paths or one in below
    ]
    taken: set[str] = set()
    for way in ways:
        if way.entry not in entries:
            known = ", ".join(entries) or "none"
            raise NotFound(
                f"there is no entry {way.entry!r} to restore to; known: {known}"
            )
        if way.entry in taken:
            raise BadRequest(f"two entries would both be restored to {way.entry!r}")
        taken.add(way.entry)
    return ways


def _databases(wanted: Restoring, listed: Sequence[str], name: str) -> list[str]:
    """Return the entries of the vault that are to be restored."""
    databases = list(listed) if wanted.databases is None else wanted.databases
    for one in databases:
        if not isinstance(one, str):
            raise BadRequest(f"not the name of an entry: {one!r}")
        if one not in listed:
            known = ", ".join(listed) or "none"
            raise NotFound(f"{name} holds no entry {one!r}; it holds: {known}")
    for old in wanted.names:
        if old not in databases:
            raise BadRequest(f"{old!r} is to go to another entry, but not restored")
    return list(dict.fromkeys(databases))


def _below(paths: Sequence[str], databases: Sequence[str]) -> dict[str, list[str]]:
    """Return the paths of each database; raise BadRequest."""
    below: dict[str, list[str]] = {}
    for path in paths:
        clean = checked(path)
        database = clean.partition("/")[0]
        if database not in databases:
            raise BadRequest(
                f"{path}: its first part is no entry that is restored; write"
                " ENTRY/PATH, as the vault lists it"
            )
        below.setdefault(database, []).append(clean)
    return below


def _items(vault: Vault, way: Way) -> dict[str, Item]:
    """Return what is to be there, by path; raise NotFound for what is not in it."""
    before = f"{way.database}/"
    found = {
        path_of(item, before): item
        for item in vault.items(way.below or [way.database])
        if item.path.startswith(before)
    }
    for path in way.below:
        inside = path.removeprefix(way.database).removeprefix("/")
        if inside and not any(f"{one}/".startswith(f"{inside}/") for one in found):
            raise NotFound(f"{vault.name} holds no {path}")
    return found


async def _planned(
    driver: Driver, way: Way, items: Mapping[str, Item], delete: bool, tally: Tally
) -> Plan:
    there = await _there(driver, way)
    made = plan(items, there, delete=delete)
    tally.expect(sum(one.size for one in items.values()), len(items))
    return await _compared(driver, made, tally)


async def _there(driver: Driver, way: Way) -> dict[str, Seen]:
    """Return what lies on the entry where something is to be restored."""
    tops = [path.removeprefix(way.database).removeprefix("/") for path in way.below]
    there: dict[str, Seen] = {}
    if not tops or "" in tops:
        folders = [""]
    else:
        seen = await driver.look(tops)
        for one in seen:
            if isinstance(one, StorageError):
                raise one
        there = {one.path: one for one in seen if isinstance(one, Seen)}
        folders = [p for p, one in there.items() if one.kind is Kind.DIRECTORY]
    for folder in folders:
        async for _, found in driver.walk(folder):
            there.update((one.path, one) for one in found)
    if unreadable := driver.unreadable():
        path, why = next(iter(unreadable.items()))
        raise StorageError(f"{readable(path) or '/'} cannot be compared: {why}")
    return there


async def _compared(driver: Driver, made: Plan, tally: Tally) -> Plan:
    """Return the plan with contents compared where sizes tell nothing."""
    steps = list(made.steps)
    open_ = [n for n, step in enumerate(steps) if step.deed is Deed.COMPARE]
    contents = Contents(driver, tally)
    try:
        for start in range(0, len(open_), _AT_ONCE):
            some = open_[start : start + _AT_ONCE]
            same = await _same(contents, [steps[n] for n in some])
            for n, one in zip(some, same, strict=True):
                steps[n] = compared(steps[n], same=one)
    finally:
        await contents.close()
    return Plan(steps, made.surplus)


async def _same(contents: Contents, steps: Sequence[Step]) -> list[bool]:
    """Tell of each whether the entry holds the content of the vault; read again."""
    digests: list[bytes | None] = [None] * len(steps)

    def use(number: int, content: Content) -> None:
        digest = hashlib.sha256()
        while chunk := content.file.read(CHUNK):
            digest.update(chunk)
        digests[number] = digest.digest()

    seen: list[Any] = [step.there for step in steps]
    troubles = await contents.read([Reading(one) for one in seen], use)
    # One that changes just now is not the same; to write it will find that out.
    return [
        trouble is None and step.item is not None and digest == step.item.sha256
        for step, digest, trouble in zip(steps, digests, troubles, strict=True)
    ]


def _blocked(way: Way, made: Plan) -> dict[str, str]:
    return {
        f"{way.entry}/{readable(step.path)}": BLOCKED
        for step in made.steps
        if step.deed is Deed.BLOCKED
    }
