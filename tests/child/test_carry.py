"""What carrying out orders leaves, when others are carried out at the same time."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.child.carry import Carrier
from syncd.child.fetch import Sources
from syncd.child.ledger import Ledger
from syncd.core.change import Delete, Done
from syncd.core.file import Kind, Seen
from syncd.drivers.memory import Memory
from tests.child.rig import FOLDER, Rig, file


def nothing() -> None:
    return


class Beside(Memory):
    """A storage where another lane does something right after ours."""

    def __init__(self) -> None:
        super().__init__()
        self.after_delete: Callable[[], None] = nothing
        self.after_prune: Callable[[], None] = nothing

    async def delete(self, orders: Any) -> Any:
        answers = await super().delete(orders)
        self.after_delete()
        return answers

    async def prune(self, folders: Any) -> Any:
        pruned = await super().prune(folders)
        self.after_prune()
        return pruned


class Bench:
    """A carrier on a storage with a file in two folders, all of it known."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder)
        self.driver = Beside()
        rig = Rig(self.driver, self.ledger)
        self.picture = rig.picture
        self.carrier = Carrier(
            self.driver, self.picture, rig.watch.busy, Sources({}), "B"
        )
        for path, thing in {"d": FOLDER, "d/e": FOLDER, "d/e/f": file()}.items():
            self.driver.set(path, thing)

    async def look(self, path: str) -> Seen | None:
        (seen,) = await self.driver.look([path])
        assert not isinstance(seen, Exception)
        return seen

    async def know(self, *paths: str, implicit: bool = False) -> None:
        for path in paths:
            self.picture.note(path, await self.look(path), implicit=implicit)

    async def delete(self, path: str, kind: Kind) -> None:
        seen = await self.look(path)
        assert seen is not None
        order = Delete(1, path, kind, seen.stamp)
        done = await self.carrier.carry_out([order], lambda *_: None)
        assert done == [Done(1, None)]

    def is_implicit(self, path: str) -> bool:
        known = self.picture.get(path)
        return known is not None and known.implicit


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.ledger.close()


async def test_a_folder_that_is_not_empty_stays_until_it_is(bench: Bench):
    await bench.know("d", "d/e", "d/e/f")
    await bench.delete("d/e", Kind.DIRECTORY)
    await bench.delete("d", Kind.DIRECTORY)
    assert bench.is_implicit("d")
    assert bench.is_implicit("d/e")

    await bench.delete("d/e/f", Kind.FILE)

    assert await bench.look("d") is None
    assert bench.picture.get("d") is None


async def test_what_kept_a_folder_may_be_gone_before_that_is_known(bench: Bench):
    await bench.know("d", "d/e", "d/e/f")

    def beside() -> None:
        bench.driver.remove("d/e/f")
        bench.driver.remove("d/e")

    bench.driver.after_delete = beside
    await bench.delete("d", Kind.DIRECTORY)

    assert await bench.look("d") is None
    assert bench.picture.get("d") is None


async def test_a_folder_may_be_left_while_what_lies_in_it_is_removed(bench: Bench):
    await bench.know("d", "d/e/f")
    await bench.know("d/e", implicit=True)
    above = await bench.look("d")

    def beside() -> None:
        bench.driver.after_prune = nothing
        bench.picture.note("d", above, implicit=True)

    bench.driver.after_prune = beside
    await bench.delete("d/e/f", Kind.FILE)

    assert await bench.look("d") is None
    assert bench.picture.get("d") is None
