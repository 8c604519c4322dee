"""Bringing back from a disk: only what is kept, and only to where it was."""

from pathlib import Path
from typing import Any

import pytest

from syncd.core.keeping import Return
from syncd.drivers.local_storage import renames, replacing
from syncd.errors import StorageChanged, StorageError
from tests.drivers.hands import look, placed


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
async def place(driver) -> str:
    """Where the old content of d/a is kept; new lies there."""
    seen = await placed(driver, "d/a", b"old")
    await placed(driver, "d/a", b"new", replaces=seen.stamp)
    [one] = await driver.kept("d/a")
    found: str = one.place
    return found


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("a", lambda place: place),
        ("d/b", lambda place: place),
        ("e/a", lambda place: place),
        ("d/a", lambda _: "d/a"),
        ("d/a", lambda place: place.replace(".syncd-trash", "d")),
        ("d/a", lambda place: place.replace(".syncd-trash/", ".syncd-trash/x/")),
        ("d/a", lambda place: place.replace("/d/", "/../d/")),
        ("d/a", lambda place: f"../root/{place}"),
        ("d/a", lambda place: place.partition("~")[0]),
        ("d/a", lambda _: ""),
        ("d/a", lambda _: ".syncd-marker"),
    ],
)
async def test_only_what_is_kept_of_the_path_is_brought_there(
    driver, root, place, path, change
):
    before = set(root.rglob("*"))
    at = await look(driver, path)
    order = Return(path, change(place), at.stamp if at else None)
    [error] = await driver.bring_back([order])

    assert isinstance(error, StorageError)
    assert (root / "d/a").read_bytes() == b"new"
    assert set(root.rglob("*")) == before


async def test_no_link_is_followed_on_the_way(driver, root, place, tmp_path):
    (tmp_path / "outside").mkdir()
    kept = root / place
    kept.rename(tmp_path / "outside" / kept.name)
    kept.parent.rmdir()
    kept.parent.symlink_to(tmp_path / "outside")
    [error] = await driver.bring_back([Return("d/a", place, None)])

    assert isinstance(error, StorageError)
    assert (tmp_path / "outside" / kept.name).exists()


@pytest.mark.parametrize("way", ["edit", "write on"])
async def test_an_edit_in_the_last_moment_is_kept_and_so_is_what_was_kept(
    driver, root, place, monkeypatch, way
):
    exchange = renames.exchange
    open_file: list[Any] = []

    def edit_then_exchange(*names: Any) -> bool:
        monkeypatch.setattr(replacing, "exchange", exchange)
        if way == "edit":
            (root / "d/a").write_bytes(b"edit")
        else:
            open_file.append((root / "d/a").open("r+b"))
        return bool(exchange(*names))

    there = (await look(driver, "d/a")).stamp
    monkeypatch.setattr(replacing, "exchange", edit_then_exchange)
    [error] = await driver.bring_back([Return("d/a", place, there)])
    for file in open_file:
        file.close()

    assert isinstance(error, StorageChanged)
    assert (root / "d/a").read_bytes() == (b"edit" if way == "edit" else b"new")
    assert [one.place for one in await driver.kept("d/a")] == [place]
    assert (root / place).read_bytes() == b"old"


async def test_as_many_at_once_as_there_are(driver, root):
    for number in range(60):
        seen = await placed(driver, f"d{number % 7}/{number}", b"old")
        await placed(driver, f"d{number % 7}/{number}", b"new", replaces=seen.stamp)
    orders = []
    async for page in driver.kept_below(""):
        for one in page:
            there = (await look(driver, one.path)).stamp
            orders.append(Return(one.path, one.place, there))
    before = open_files()
    answers = await driver.bring_back(orders)

    assert len(answers) == 60
    for answer in answers:
        assert answer.seen == await look(driver, answer.seen.path)
        assert (root / answer.seen.path).read_bytes() == b"old"
    assert open_files() <= before + 1  # One for the file system stays open.


async def test_what_nobody_keeps_is_not_replaced(driver, root, place):
    driver.keep(None)
    there = await look(driver, "d/a")
    [error] = await driver.bring_back([Return("d/a", place, there.stamp)])

    assert isinstance(error, StorageError)
    assert "keep: false" in str(error)
    assert (root / "d/a").read_bytes() == b"new"
    assert (root / place).read_bytes() == b"old"
