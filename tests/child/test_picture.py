import pytest

from syncd.child.ledger import Known, Ledger
from syncd.child.picture import Picture
from syncd.core.file import Kind, Seen, Stamp


def seen(path, size=1, inode=0, kind=Kind.FILE):
    return Seen(path, kind, Stamp(size, 1, 2, inode))


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture
async def picture(ledger):
    """A picture of three paths that the ledger holds."""
    paths = ("d", "d/a", "d/b")
    await ledger.write([(p, Known(seen(p, inode=n + 1))) for n, p in enumerate(paths)])
    return Picture(ledger)


async def test_what_was_noted_or_said_counts_at_once(picture, ledger):
    picture.note("d/a", seen("d/a", size=2))
    picture.say(1, "d/b", None)

    assert picture.get("d/a").seen.stamp.size == 2
    assert picture.get("d/b") is None
    assert ledger.get("d/b") is not None
    assert set(picture.inside("d", "", None)) == {"d/a"}


async def test_own_writes_are_committed(picture, ledger):
    picture.note("d/new", seen("d/new"), implicit=True)
    await picture.commit()

    assert ledger.get("d/new") == Known(seen("d/new"), implicit=True)


async def test_what_was_said_is_committed_when_it_is_noted(picture, ledger):
    picture.say(1, "x", seen("x"))
    picture.say(2, "y", seen("y"))
    await picture.commit()
    assert ledger.get("x") is None

    picture.noted(1)
    await picture.commit()

    assert ledger.get("x") is not None
    assert ledger.get("y") is None
    assert ledger.noted == 1


async def test_what_was_said_again_waits_for_the_later_batch(picture, ledger):
    picture.say(1, "x", seen("x", size=1))
    picture.say(2, "x", seen("x", size=2))
    picture.noted(1)
    await picture.commit()
    assert ledger.get("x") is None

    picture.noted(2)
    await picture.commit()
    assert ledger.get("x").seen.stamp.size == 2


async def test_our_write_over_what_was_said_waits_with_it(picture, ledger):
    picture.say(1, "x", seen("x", size=1))
    picture.note("x", seen("x", size=2))
    await picture.commit()
    assert ledger.get("x") is None

    picture.noted(1)
    await picture.commit()
    assert ledger.get("x").seen.stamp.size == 2


async def test_news_over_our_write_are_not_committed_before_they_are_noted(
    picture, ledger
):
    picture.note("x", seen("x", size=1))
    picture.say(1, "x", seen("x", size=2))
    await picture.commit()

    assert ledger.get("x") is None
    assert picture.get("x").seen.stamp.size == 2


async def test_inodes_are_those_of_now(picture):
    assert [one.seen.path for one in picture.at_inodes([2])[2]] == ["d/a"]
    picture.say(1, "e", seen("e", inode=2))
    picture.note("d/a", None)

    assert [one.seen.path for one in picture.at_inodes([2])[2]] == ["e"]


async def test_a_folder_holds_something_until_all_is_gone(picture):
    picture.say(1, "d/a", None)
    assert picture.holds_any("d")
    picture.say(1, "d/b", None)
    assert not picture.holds_any("d")
    picture.note("d/c", seen("d/c"))
    assert picture.holds_any("d")


async def test_below_gives_each_path_once(picture):
    picture.say(1, "d/a", seen("d/a", size=9))
    picture.say(1, "d/b", None)
    picture.say(1, "d/x/y", seen("d/x/y"))
    picture.say(1, "e", seen("e"))

    assert [p for page in picture.below("d") for p in page] == ["d/x/y", "d/a"]


async def test_part_of_a_folder_takes_only_names_of_that_part(picture):
    for name in ("0", "a2", "z"):
        picture.say(1, f"d/{name}", seen(f"d/{name}"))

    assert set(picture.inside("d", "", "a")) == {"d/0", "d/a"}
    assert set(picture.inside("d", "a", None)) == {"d/a2", "d/b", "d/z"}


async def test_forgetting_forgets_what_was_said_too(picture, ledger):
    picture.say(1, "x", seen("x"))
    await picture.forget("other")

    assert picture.get("x") is None
    assert picture.get("d/a") is None
    assert ledger.index == "other"
