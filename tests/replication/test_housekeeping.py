"""Tombstones are kept until everybody knows, and a while longer."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from syncd.core.file import Copy, File
from syncd.replication import housekeeping
from syncd.replication.housekeeping import DAYS, forget_tombstones
from syncd.store import files
from syncd.store.database import Store

NOW = 1_700_000_000.0
DAY = 86400.0
TOMBSTONE = File(
    id=1,
    path="x",
    version={0: 2},
    deleted=True,
    owners=0b11,
    copies={0: Copy(version={0: 2})},
    changed_at=NOW,
)


@pytest.mark.parametrize(
    ("days", "behind", "deleted", "forgotten"),
    [
        (DAYS + 1, 0, True, 1),
        (DAYS - 1, 0, True, 0),
        (DAYS + 1, 0b10, True, 0),  # Somebody still has to delete it.
        (DAYS + 1, 0, False, 0),
    ],
)
async def test_what_is_forgotten(tmp_path: Path, days, behind, deleted, forgotten):
    file = replace(TOMBSTONE, deleted=deleted)
    async with Store(tmp_path / "index.db") as store:
        await store.run(files.add, [(file, files.facts(file, behind))])

        assert await store.run(forget_tombstones, NOW + days * DAY) == forgotten
        assert len(await store.read(files.after, 0, 9)) == 1 - forgotten


async def test_many_are_forgotten_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(housekeeping, "_MOST", 2)
    some = [replace(TOMBSTONE, id=n, path=f"f{n}") for n in range(1, 6)]
    async with Store(tmp_path / "index.db") as store:
        await store.run(files.add, [(file, files.facts(file, 0)) for file in some])
        later = NOW + 40 * DAY

        forgotten = [await store.run(forget_tombstones, later) for _ in range(4)]
        assert forgotten == [2, 2, 1, 0]
