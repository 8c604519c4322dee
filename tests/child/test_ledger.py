import asyncio
import os
import sqlite3
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.child import ledger as room
from syncd.child.ledger import Known, Ledger, hold, is_broken
from syncd.core.file import Kind, Seen, Stamp
from syncd.errors import AlreadyRunning


def known(path, inode=0, kind=Kind.FILE, **other):
    return Known(Seen(path, kind, Stamp(3, 1, 2, inode), 0o644), **other)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.close()


async def keep(ledger, *paths):
    await ledger.write([(path, known(path)) for path in paths])


def below(ledger, folder):
    return [path for page in ledger.below(folder) for path in page]


async def test_what_was_written_is_known(ledger):
    link = Seen("d/l", Kind.LINK, Stamp(1, -5, 2, 3, "tag"), 0o777, "target")
    await ledger.write([("d/l", Known(link, implicit=True))])

    assert ledger.get("d/l") == Known(link, implicit=True)
    assert ledger.get("d") is None


async def test_what_is_gone_is_forgotten(ledger):
    await keep(ledger, "a", "b")
    await ledger.write([("a", None)])

    assert ledger.get("a") is None
    assert ledger.get("b") is not None


@given(inode=st.integers(0, 2**64 - 1))
def test_any_inode_comes_back(tmp_path_factory, inode):
    one = known("a", inode)

    assert room._known(room._row(one)) == one


async def test_paths_are_found_by_inode(ledger):
    high = 2**64 - 2
    await ledger.write([("a", known("a", high)), ("b", known("b", 7))])

    assert [one.seen.path for one in ledger.at_inodes([high])] == ["a"]
    assert ledger.at_inodes([0]) == []


async def test_a_folder_is_read_in_parts(ledger):
    await keep(ledger, "d/a", "d/b", "d/c", "d/c/x", "e")

    def names(after, upto):
        return [one.seen.path for one in ledger.inside("d", after, upto)]

    assert names("", "b") == ["d/a", "d/b"]
    assert names("b", None) == ["d/c"]


async def test_below_a_folder_content_comes_before_folders(ledger, monkeypatch):
    monkeypatch.setattr(room, "PAGE", 2)
    await keep(ledger, "a", "a!", "a!/x", "a/b", "a/b/c", "a/b/d", "a/z", "a0", "b")

    assert below(ledger, "a") == ["a/b/d", "a/b/c", "a/z", "a/b"]
    assert set(below(ledger, "")) >= {"a", "a0", "a!/x", "a/b/c"}
    assert len(below(ledger, "")) == 9


async def test_folders_and_some_of_their_content_are_given(ledger):
    await keep(ledger, "a", "d/x", "d/y", "e/f/z")

    assert list(ledger.folders()) == ["d", "e/f"]
    assert len(ledger.some("d", 0)) == 1
    assert sorted(ledger.some("d", 5)) == ["d/x", "d/y"]


@pytest.mark.parametrize("page", [1, 2, 3, 500])
async def test_folders_are_found_without_a_look_at_what_is_in_them(
    ledger, monkeypatch, page
):
    monkeypatch.setattr(room, "PAGE", page)
    await keep(ledger, "a", "b/x", "z/z", *(f"d/{number}" for number in range(9000)))
    steps: list[None] = []
    ledger._reader.set_progress_handler(lambda: steps.append(None), 100)

    assert list(ledger.folders()) == ["b", "d", "z"]
    assert len(steps) < 20


async def test_a_folder_is_known_by_its_fingerprint_until_it_changes(ledger):
    await keep(ledger, "a", "d/x", "d/y", "e/z")
    assert [ledger.fingerprint(one) for one in ("d", "none")] == [(b"", 0), None]

    ledger.remember("d", b"print", 2)
    ledger.remember("e", b"other", 1)
    assert ledger.fingerprint("d") == (b"", 0), "only what survives a crash counts"
    await ledger.keep_fingerprints()
    assert ledger.fingerprint("d") == (b"print", 2)

    await keep(ledger, "d/new")
    await ledger.write([("e/z", None)])
    assert [ledger.fingerprint(one) for one in ("d", "e")] == [(b"", 0), None]


async def test_a_fingerprint_from_before_a_change_is_not_kept(ledger):
    await keep(ledger, "d/x")
    ledger.remember("d", b"print", 1)

    await keep(ledger, "d/y")
    await ledger.keep_fingerprints()

    assert ledger.fingerprint("d") == (b"", 0)


async def test_fingerprints_can_be_forgotten_with_and_without_the_rest(ledger):
    for forget in (ledger.forget_fingerprints(), ledger.forget("index")):
        await keep(ledger, "d/x")
        ledger.remember("d", b"print", 1)
        await ledger.keep_fingerprints()
        ledger.remember("d", b"later", 1)

        await forget
        await ledger.keep_fingerprints()

        assert ledger.fingerprint("d") in ((b"", 0), None)


async def test_facts_survive_with_the_rows(tmp_path):
    ledger = Ledger(tmp_path)
    await ledger.forget("index")
    await ledger.write([("a", known("a"))], [("noted", "7")])
    ledger.close()

    again = Ledger(tmp_path)
    assert (again.index, again.noted) == ("index", 7)
    assert again.get("a") == known("a")
    again.close()


async def test_forgetting_leaves_nothing_but_the_index(ledger):
    await ledger.write([("a", known("a"))], [("noted", "7")])
    await ledger.forget("other")

    assert (ledger.index, ledger.noted, ledger.fact("noted")) == ("other", 0, None)
    assert ledger.get("a") is None


async def test_nothing_of_a_failed_write_is_kept(ledger):
    with pytest.raises(sqlite3.IntegrityError):
        await ledger.write(
            [("a", known("a")), ("b", known("b", kind=Kind.FILE))],
            [("noted", "1"), (None, "x")],
        )

    assert ledger.get("a") is None
    assert ledger.noted == 0


def test_a_broken_file_is_moved_aside(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"no database" * 1000)

    ledger = Ledger(tmp_path)

    assert ledger.index is None
    assert list(tmp_path.glob("ledger.broken-*"))
    ledger.close()


def garbled(folder):
    """Leave the first page and nothing else, as a dying disk may."""
    ledger = Ledger(folder)
    ledger.close()
    file = folder / "ledger.db"
    file.write_bytes(file.read_bytes()[:4096] + os.urandom(40_960))


@pytest.mark.parametrize("check", [True, False])
def test_what_is_broken_further_in_is_found_when_it_is_looked_for(tmp_path, check):
    garbled(tmp_path)
    with suppress(sqlite3.DatabaseError):
        Ledger(tmp_path, check=check).close()

    moved = list(tmp_path.glob("ledger.broken-*"))
    assert bool(moved) == check
    assert all(one.stat().st_size > 40_000 for one in moved)


def test_a_sound_file_is_kept_when_it_is_looked_through(tmp_path):
    Ledger(tmp_path).close()
    ledger = Ledger(tmp_path, check=True)

    assert ledger.moved is None
    ledger.close()


@pytest.fixture
def full(ledger, monkeypatch):
    """A ledger whose disk is full until that is over."""
    monkeypatch.setattr(room, "PAUSE", 0.01)
    pages = ledger._writer.execute("PRAGMA page_count").fetchone()[0]
    ledger._writer.execute(f"PRAGMA max_page_count = {pages}")
    return ledger


MANY = [(f"{number}" * 40, known(f"{number}" * 40)) for number in range(400)]


async def test_what_a_full_disk_does_not_take_waits_until_it_does(full):
    said: list[str | None] = []
    full._tell = said.append
    writing = asyncio.create_task(full.write(MANY, [("noted", "7")]))
    while not said:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert full.noted == 0
    assert not writing.done()

    full._writer.execute("PRAGMA max_page_count = 100000")
    await writing

    assert (full.noted, full.get(MANY[-1][0])) == (7, MANY[-1][1])
    assert [reason is None for reason in said] == [False, True]
    assert "full; see to its disk" in str(said[0])


async def test_fingerprints_do_not_wait_for_room(full):
    full.remember("d", b"print" * 10_000, 1)

    await full.keep_fingerprints()

    assert full.fingerprint("d") is None


async def test_at_the_end_nothing_waits(full):
    full.wait_no_more()

    with pytest.raises(sqlite3.OperationalError, match="full"):
        await full.write(MANY)


@pytest.mark.parametrize(
    ("error", "broken"),
    [
        (sqlite3.DatabaseError("malformed"), True),
        (ExceptionGroup("", [ValueError(), sqlite3.DatabaseError()]), True),
        (sqlite3.OperationalError("disk is full"), False),
        (OSError(), False),
    ],
)
def test_a_damaged_file_is_told_from_other_trouble(error, broken):
    assert is_broken(error) is broken


async def test_one_child_holds_a_folder_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "ORPHAN_PATIENCE", 0.1)
    first = await hold(tmp_path / "new")
    with pytest.raises(AlreadyRunning):
        await hold(tmp_path / "new")
    os.close(first)

    os.close(await hold(tmp_path / "new"))
