"""What compressed and encrypted vaults cost: to make, to make again, and to verify.

In this process, on the store's own folder: what a worker does for a backup, without
asking for it. The table ``backup`` has whole backups, beside other tools.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE

from syncd.core.vault import Item, ItemKind, Summary
from syncd.vaults.keys import Keys, new_identity
from syncd.vaults.local import LocalStore
from tests.benchmarks import trees
from tests.benchmarks.backing import SIZE
from tests.benchmarks.plan import Plan, Result, Row
from tests.benchmarks.workshop import Workshop

DATABASE = "A"


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return what vaults take, with each of the options."""
    files = plan.pick(50_000, 1000)
    source = workshop.new_folder()
    trees.fill(source, files, SIZE)
    trees.settle_disk(2.5)  # what was written just now is read twice
    result = Result(f"Vaults of {files:,} files of {SIZE:,} bytes")
    for options, store in _stores(workshop).items():
        row = _vaults(store, source)
        result.rows.append({"tool": f"syncd, {options}", **row})
    return result


def _stores(workshop: Workshop) -> dict[str, LocalStore]:
    keys = Keys(new_identity()[0])
    return {
        "plain": LocalStore(workshop.new_folder()),
        "zstd": LocalStore(workshop.new_folder(), compress=True),
        "age": LocalStore(workshop.new_folder(), keys=keys),
        "zstd and age": LocalStore(workshop.new_folder(), compress=True, keys=keys),
    }


def _vaults(store: LocalStore, source: Path) -> Row:
    """Return the times of two vaults, and of verifying the second."""
    os.sync()
    begin = time.perf_counter()
    items = _walked(source)
    _, read = _vault(store, source, "first", items)
    first = time.perf_counter() - begin
    assert read == len(items)
    begin = time.perf_counter()
    items = _walked(source)
    walked = time.perf_counter() - begin
    second, read = _vault(store, source, "second", items)
    assert read == 0, f"{read} were read again"
    faults = []
    verified = _timed(
        lambda: faults.extend(store.get("second").verify(lambda _bytes, _items: None))
    )
    assert not faults, faults
    return {
        "first s": first,
        "unchanged s": walked + second,
        "of it the vault s": second,
        "verify s": verified,
    }


def _vault(
    store: LocalStore, source: Path, name: str, items: list[Item]
) -> tuple[float, int]:
    """Return the seconds that a durable vault took, and how many items were read."""
    begin = time.perf_counter()
    made = time.time()
    with store.stage(name, "bench", job=name) as staging:
        left = staging.unchanged(items)
        for item in left:
            if item.kind is ItemKind.DIRECTORY:
                staging.add(item, None)
                continue
            path = f"{source}{item.path.removeprefix(DATABASE)}"
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                staging.add(item, descriptor)
            finally:
                os.close(descriptor)
        staging.seal(Summary(name=name, source="bench", made=made))
    return time.perf_counter() - begin, len(left)


def _walked(source: Path) -> list[Item]:
    items = []
    for folder in os.scandir(source):
        items.append(_seen(folder, DATABASE, ItemKind.DIRECTORY))
        above = f"{DATABASE}/{folder.name}"
        items += [_seen(one, above, ItemKind.FILE) for one in os.scandir(folder)]
    return items


def _seen(entry: "os.DirEntry[str]", above: str, kind: ItemKind) -> Item:
    status = entry.stat()
    return Item(
        path=f"{above}/{entry.name}",
        kind=kind,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        mode=S_IMODE(status.st_mode),
    )


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
