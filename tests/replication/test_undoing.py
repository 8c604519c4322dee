"""What undoing brings back from which entry, and when it refuses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from syncd.core import path as paths
from syncd.core.file import Kind
from syncd.core.keeping import Kept, Loss, Version, Wish
from syncd.core.version import bumped
from syncd.errors import BadRequest, Conflict, NotFound, Unavailable
from syncd.replication import undoing
from syncd.replication.undoing import Undoing
from syncd.store import files
from tests.replication.house import House, _digest

NEVER = "00000000-0000-5000-8000-000000000000"


class Keepers:
    """Entries that keep what they are told to keep; they bring back all."""

    def __init__(self) -> None:
        self.kept: dict[str, list[Kept]] = {"A": [], "B": [], "C": []}
        self.silent: dict[str, str] = {}
        self.trouble: dict[str, str] = {}
        self.asked: list[tuple[str, list[Wish], str]] = []

    def keep(self, entry: str, path: str, at: int, content: str, **more: Any) -> Kept:
        facts: dict[str, Any] = {
            "path": path,
            "place": f"{entry} {at}",
            "at_ns": at,
            "kind": Kind.FILE,
            "size": len(content),
            "mtime_ns": 1,
            "loss": Loss.REPLACED,
            "digest": _digest(content),
        }
        self.kept[entry].append(Kept(**{**facts, **more}))
        return self.kept[entry][-1]

    async def recall(
        self, entry: str, path: str = "", *, below: bool = False, fid: str | None = None
    ) -> list[Kept]:
        if entry in self.silent:
            raise Unavailable(self.silent[entry])
        mine = self.kept[entry]
        if fid is not None:
            return [one for one in mine if paths.fid(one.path) == fid]
        if below:
            start = f"{path}/" if path else ""
            return [one for one in mine if one.path.startswith(start)]
        return [one for one in mine if one.path == path]

    async def undo(
        self, entry: str, wishes: Sequence[Wish], cause: str
    ) -> list[str | None]:
        if entry in self.silent:
            raise Unavailable(self.silent[entry])
        self.asked.append((entry, list(wishes), cause))
        return [self.trouble.get(wish.path) for wish in wishes]


@pytest.fixture
async def house(tmp_path: Path):
    async with House(tmp_path, "A", "B", "C") as house:
        await house.use({"sync": ["A", "B", "C"]})
        await house.start()
        yield house


@pytest.fixture
def keepers() -> Keepers:
    return Keepers()


@pytest.fixture
def past(house: House, keepers: Keepers) -> Undoing:
    return Undoing(house.store, keepers, house.slots)


async def made(house: House, path: str = "d/a", content: str = "now") -> str:
    house.children["A"].write(path, content)
    await house.peace()
    return paths.fid(path)


def places(versions: Sequence[Version]) -> list[str]:
    return [one.kept.place for one in versions]


class TestHistory:
    async def test_it_is_gathered_newest_first(self, house, keepers, past):
        fid = await made(house)
        keepers.keep("B", "d/a", 10, "one")
        keepers.keep("A", "d/a", 20, "two")
        keepers.keep("B", "d/a", 30, "three")
        keepers.keep("B", "other", 40, "x")
        keepers.silent["C"] = "it is not running"

        told = await past.history(fid)
        assert told.path == "d/a"
        assert places(told.versions) == ["B 30", "A 20", "B 10"]
        assert told.unheard == {"C": "it is not running"}

    async def test_of_a_file_that_is_gone(self, house, keepers, past):
        fid = await made(house)
        house.children["A"].delete("d/a")
        await house.peace()
        keepers.keep("B", "d/a", 10, "now", loss=Loss.DELETED)

        assert places((await past.history(fid)).versions) == ["B 10"]

    async def test_of_a_file_that_the_index_does_not_know(self, keepers, past):
        keepers.keep("B", "lost", 10, "one")

        told = await past.history(paths.fid("lost"))
        assert (told.path, places(told.versions)) == ("lost", ["B 10"])

    async def test_of_a_file_nothing_is_kept_of(self, house, past):
        assert (await past.history(await made(house))).versions == []

    async def test_of_nothing(self, keepers, past):
        with pytest.raises(NotFound, match=r"not found$"):
            await past.history(NEVER)
        keepers.silent["B"] = "it rests"
        with pytest.raises(NotFound, match=r"not every entry could tell .B: it rests."):
            await past.history(NEVER)


class TestOneFile:
    async def test_the_last_change_is_undone(self, house, keepers, past):
        fid = await made(house)
        keepers.keep("B", "d/a", 10, "one")
        keepers.keep("B", "d/a", 20, "two")

        assert (await past.undo(fid)).kept.place == "B 20"
        [(entry, wishes, cause)] = keepers.asked
        assert (entry, len(cause)) == ("B", 8)
        assert wishes == [Wish("d/a", "B 20", _digest("now"))]

    async def test_a_moment_or_a_version_or_an_entry(self, house, keepers, past):
        fid = await made(house)
        keepers.keep("B", "d/a", 10, "one")
        keepers.keep("A", "d/a", 20, "two")

        assert (await past.undo(fid, since_ns=5)).kept.place == "B 10"
        assert (await past.undo(fid, version="20")).kept.place == "A 20"
        assert (await past.undo(fid, entry="B")).kept.place == "B 10"

    async def test_what_is_gone_comes_back_wherever_it_is_kept(
        self, house, keepers, past
    ):
        keepers.keep("C", "lost", 10, "one")

        assert (await past.undo(paths.fid("lost"))).entry == "C"
        assert keepers.asked[0][1] == [Wish("lost", "C 10", None)]

    async def test_of_equal_contents_that_of_an_owner(self, house, keepers, past):
        await house.use({"sync": ["A", "B"]})
        fid = await made(house)
        house.children["A"].delete("d/a")
        await house.peace()
        for entry, at in (("C", 10), ("B", 11)):
            keepers.keep(entry, "d/a", at, "now", cause="same", loss=Loss.DELETED)

        assert (await past.undo(fid)).entry == "B"

    async def test_an_entry_that_is_behind_cannot(self, house, keepers, past):
        fid = await made(house)
        child = house.children["B"]
        child.trouble = ("blocked", "no room")
        house.children["A"].write("d/a", "later")
        for _ in range(5):
            await house.quiet()
            house.children["C"].work()
            child.work()
        keepers.keep("B", "d/a", 10, "one", cause="c1")

        with pytest.raises(
            Conflict, match=r"only B keeps that .* copy it by hand from"
        ):
            await past.undo(fid)
        keepers.keep("C", "d/a", 11, "one", cause="c1")
        assert (await past.undo(fid)).entry == "C"

    async def test_a_folder_has_the_name_now(self, house, keepers, past):
        fid = await made(house, "x")
        file = await house.file("x")
        folder = {
            "kind": Kind.DIRECTORY,
            "version": bumped(file.version, 0),
        }
        await house.store.run(
            files.change,
            [(replace(file, **folder), files.facts(file, 0))],
        )
        keepers.keep("B", "x", 10, "one")

        with pytest.raises(Conflict, match="x is a folder now; rename it first"):
            await past.undo(fid)

    @pytest.mark.parametrize(
        ("wish", "refusal"),
        [
            ({"entry": "Z"}, BadRequest("entry Z not found")),
            ({"entry": "C"}, NotFound("nothing is kept of d/a")),
            ({"version": "5"}, NotFound("no version 5 is kept of d/a")),
            ({"since_ns": 10}, Conflict("d/a has not changed since then")),
        ],
    )
    async def test_refusals(self, house, keepers, past, wish, refusal):
        fid = await made(house)
        keepers.keep("B", "d/a", 10, "one")

        with pytest.raises(type(refusal), match=str(refusal)):
            await past.undo(fid, **wish)
        assert keepers.asked == []

    async def test_what_is_there_already(self, house, keepers, past):
        fid = await made(house)
        keepers.keep("B", "d/a", 10, "now")

        with pytest.raises(Conflict, match="has that content; choose another version"):
            await past.undo(fid)

    async def test_what_the_entry_says(self, house, keepers, past):
        fid = await made(house)
        keepers.keep("B", "d/a", 10, "one")
        keepers.trouble["d/a"] = "d/a is open for writing"

        with pytest.raises(Conflict, match="open for writing"):
            await past.undo(fid)

    async def test_an_entry_that_goes_meanwhile(self, house, keepers, past):
        fid = await made(house)
        keepers.keep("B", "d/a", 10, "one")
        recall = keepers.recall

        async def recall_and_go(*arguments: Any, **others: Any) -> list[Kept]:
            found: list[Kept] = await recall(*arguments, **others)
            if arguments[0] == "B":
                keepers.silent["B"] = "it stopped"
            return found

        keepers.recall = recall_and_go
        with pytest.raises(Unavailable, match="it stopped"):
            await past.undo(fid)


class TestMore:
    async def test_below_a_folder_only_what_is_gone(self, house, keepers, past):
        await made(house, "d/there")
        keepers.keep("B", "d/there", 10, "old")
        keepers.keep("B", "d/gone", 11, "one")
        keepers.keep("C", "d/e/gone", 12, "two")
        keepers.keep("B", "dd", 13, "x")
        keepers.keep("B", "d", 14, "x")

        plan = await past.plan("d")
        assert sorted(places(plan.back)) == ["B 11", "B 14", "C 12"]
        done = await past.carry_out(plan, "d", None)
        assert sorted(places(done.back)) == ["B 11", "B 14", "C 12"]
        wishes = {w.path: w for _, some, _ in keepers.asked for w in some}
        assert {path: wish.gone for path, wish in wishes.items()} == {
            "d": False,
            "d/gone": True,
            "d/e/gone": True,
        }
        assert len({cause for _, _, cause in keepers.asked}) == 1

    async def test_a_path_that_is_a_file_is_that_file(self, house, keepers, past):
        await made(house, "d/there")
        keepers.keep("B", "d/there", 10, "old")

        assert places((await past.plan("d/there")).back) == ["B 10"]

    async def test_since_a_moment_all_that_has_changed(self, house, keepers, past):
        await made(house, "d/there")
        await made(house, "same", "same")
        keepers.keep("B", "d/there", 10, "older")
        keepers.keep("B", "d/there", 20, "old")
        keepers.keep("B", "d/there", 30, "less old")
        keepers.keep("B", "gone", 12, "one")
        keepers.keep("B", "same", 25, "same")

        plan = await past.plan("", since_ns=15)
        assert places(plan.back) == ["B 20"]
        assert places((await past.plan("", since_ns=5)).back) == ["B 10", "B 12"]
        done = await past.carry_out(plan, "", 15)
        assert keepers.asked[0][1] == [Wish("d/there", "B 20", _digest("now"))]
        assert (done.passed, done.unheard) == ([], {})

    async def test_what_cannot_come_back_is_told(
        self, house, keepers, past, monkeypatch
    ):
        monkeypatch.setattr(undoing, "AT_ONCE", 2)
        for number in range(5):
            keepers.keep("B", f"d/{number}", 10 + number, "x")
        keepers.keep("C", "d/c", 20, "x")
        keepers.trouble["d/3"] = "it has just changed"
        plan = await past.plan("d")
        keepers.silent["C"] = "it stopped"
        done = await past.carry_out(plan, "d", None)

        assert len(done.back) == 4
        assert [len(some) for _, some, _ in keepers.asked] == [2, 2, 1]
        assert {one.path: one.reason for one in done.passed} == {
            "d/3": "it has just changed",
            "d/c": "entry C: it stopped",
        }

    async def test_who_is_behind_is_passed_over(self, house, keepers, past):
        await house.use({"sync": ["A", "B"]})
        await made(house, "d/a")
        keepers.keep("C", "d/a", 10, "one")
        keepers.silent["A"] = "it rests"

        plan = await past.plan("d", since_ns=5)
        assert plan.back == []
        assert [one.path for one in plan.passed] == ["d/a"]
        assert plan.unheard == {"A": "it rests"}

    @pytest.mark.parametrize(
        ("path", "wish", "refusal"),
        [
            ("", {}, BadRequest("say since when, or below which path")),
            ("none", {}, NotFound("nothing is kept of none")),
            ("d", {"entry": "C"}, NotFound("nothing is kept of d")),
            (
                "",
                {"entry": "C", "since_ns": 1},
                NotFound("nothing is kept of anything"),
            ),
            ("d", {"entry": "Z"}, BadRequest("entry Z not found")),
        ],
    )
    async def test_refusals(self, keepers, past, path, wish, refusal):
        keepers.keep("B", "d/a", 10, "one")

        with pytest.raises(type(refusal), match=str(refusal)):
            await past.plan(path, **wish)
