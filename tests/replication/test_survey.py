"""What other rules would do to everything that is known."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from syncd.core.file import Copy, File, Stamp
from syncd.core.ignoring import Ignored
from syncd.core.rules import RuleFaults
from syncd.replication import survey as module
from syncd.replication.survey import survey
from syncd.store import files
from syncd.store.database import Store
from tests.core.story import TO_ALL, a_world

WORLD = a_world()


async def fill(store: Store, number: int) -> None:
    held = Copy(version={0: 1}, stamp=Stamp(size=3))
    some = [
        File(
            id=row,
            path=f"f{row}",
            size=3,
            version={0: 1},
            origin=0b1,
            owners=0b1,
            copies={0: held},
        )
        for row in range(1, number + 1)
    ]
    await store.run(files.add, [(file, files.facts(file, 0)) for file in some])


@pytest.mark.parametrize("number", [0, 2, 4, 5])
async def test_every_file_is_judged_and_none_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    monkeypatch.setattr(module, "PAGE", 2)
    async with Store(tmp_path / "index.db") as store:
        await fill(store, number)
        before = await store.read(files.after, 0, 99)
        answer = await survey(store, WORLD, {"rules": [TO_ALL]})

        total = answer["total"]
        assert isinstance(total, dict)
        assert total["files"] == number
        assert total["copy"]["files"] == 2 * number
        assert list(answer["entries"]) == ["A", "B", "C"]  # type: ignore[call-overload]
        assert await store.read(files.after, 0, 99) == before


async def test_what_entries_ignore_is_no_news_for_them(tmp_path: Path):
    world = replace(WORLD, ignored={1: Ignored(["f1"])})
    async with Store(tmp_path / "index.db") as store:
        await fill(store, 2)
        answer: Any = await survey(store, world, {"rules": [TO_ALL]})

    copied = [answer["entries"][name]["copy"]["files"] for name in "ABC"]
    assert copied == [0, 1, 2]


async def test_rules_that_are_none_are_refused(tmp_path: Path):
    async with Store(tmp_path / "index.db") as store:
        with pytest.raises(RuleFaults, match="no entry is called Z"):
            await survey(store, WORLD, {"rules": [{"sync": ["Z"]}]})
