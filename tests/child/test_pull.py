"""Orders carried out by real children on real folders."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from syncd import wire
from syncd.core.change import (
    Amend,
    Delete,
    Done,
    Failed,
    Found,
    Gone,
    Inspect,
    Put,
    SetAside,
    Source,
    Why,
)
from syncd.core.file import Kind, Stamp


@dataclass
class Two:
    """Two running entries; what their first walks told is forgotten."""

    parent: Any
    a: Path
    b: Path

    async def made(self, path: str, content: bytes, entry: str = "A") -> Stamp:
        """Write a file on an entry, and wait until it is told."""
        file = self.parent.folder / entry / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, ns=(1_000_000_007, 1_000_000_007))
        status = file.stat()

        def told():
            found = self.parent.found(entry).get(path)
            return found and found.seen.stamp.ctime_ns == status.st_ctime_ns

        await self.parent.until(told)
        stamp: Stamp = self.parent.found(entry)[path].seen.stamp
        return stamp

    async def put(self, number: int, path: str, stamp: Stamp, **other: Any) -> Any:
        self.parent.order("B", copy(number, path, stamp, **other))
        return await self.parent.outcome("B", number)

    async def nothing_told(self, entry: str = "B") -> bool:
        """Tell whether nothing was news, not even what comes a little late."""
        before = self.parent.changes(entry)
        (self.parent.folder / entry / "last").write_text("x")
        await self.parent.seen(entry, "last")
        return [c for c in self.parent.changes(entry) if c not in before][:-1] == []


def copy(number: int, path: str, stamp: Stamp, **other: Any) -> Put:
    values: dict[str, Any] = {
        "kind": Kind.FILE,
        "size": stamp.size,
        "mtime_ns": stamp.mtime_ns,
        "mode": 0o640,
        "target": None,
        "digest": None,
        "sources": [Source("A", path, stamp)],
        "replaces": None,
    }
    return Put(id=number, path=path, **(values | other))


def names(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def folder(number: int, path: str) -> Put:
    return copy(number, path, Stamp(), kind=Kind.DIRECTORY, mode=0o755, sources=[])


@pytest.fixture
async def two(parent):
    two = Two(parent, parent.entry("A"), parent.entry("B"))
    for name in ("A", "B"):
        parent.start(name)
        await parent.walked(name)
    return two


async def test_a_put_copies_content_time_and_mode_from_another_child(two):
    stamp = await two.made("a", b"content")

    done = await two.put(1, "a", stamp)

    assert isinstance(done, Done)
    assert (two.b / "a").read_bytes() == b"content"
    assert done.digest == blake3(b"content").digest()
    assert done.copied == 7
    assert done.seen is not None
    assert (done.seen.mode, done.seen.stamp.mtime_ns) == (0o640, 1_000_000_007)
    assert done.seen.stamp.inode == (two.b / "a").stat().st_ino


async def test_the_echo_of_our_own_writes_is_silent(two):
    stamp = await two.made("a/b/c", b"content")
    done = await two.put(1, "a/b/c", stamp)
    two.parent.order("B", Amend(2, "a/b/c", done.seen.stamp, 0o600, 5))
    amended = await two.parent.outcome("B", 2)
    two.parent.order("B", folder(3, "f"))
    await two.parent.outcome("B", 3)
    two.parent.order("B", Delete(4, "a/b/c", Kind.FILE, amended.seen.stamp))
    assert await two.parent.outcome("B", 4) == Done(4, None)

    assert await two.nothing_told()
    assert two.parent.changes("B")[:-1] == []


async def test_what_was_done_but_never_noted_is_found_after_a_crash(two):
    stamp = await two.made("a", b"content")
    two.parent.notes = False
    await two.put(1, "a", stamp)
    two.parent.kill("B")
    two.parent.notes = True
    two.parent.start("B")
    await two.parent.walked("B")

    assert list(two.parent.found("B")) == ["a"]


async def test_what_was_done_and_noted_is_known_after_a_restart(two):
    stamp = await two.made("a", b"content")
    await two.put(1, "a", stamp)
    await two.parent.stop("B")
    two.parent.start("B")
    await two.parent.walked("B")

    assert list(two.parent.found("B")) == []


async def test_folders_made_on_the_way_go_when_they_are_empty(two):
    stamp = await two.made("a/b/c", b"content")
    done = await two.put(1, "a/b/c", stamp)

    two.parent.order("B", Delete(2, "a/b/c", Kind.FILE, done.seen.stamp))
    await two.parent.outcome("B", 2)

    assert not (two.b / "a").exists()


async def test_an_ordered_folder_stays_when_it_is_empty(two):
    stamp = await two.made("a/c", b"content")
    two.parent.order("B", folder(1, "a"), copy(2, "a/c", stamp))
    done = await two.parent.outcome("B", 2)

    two.parent.order("B", Delete(3, "a/c", Kind.FILE, done.seen.stamp))
    await two.parent.outcome("B", 3)

    assert (two.b / "a").is_dir()


async def test_a_deleted_folder_that_is_not_empty_stays_until_it_is(two):
    stamp = await two.made("a/c", b"content")
    two.parent.order("B", folder(1, "a"), copy(2, "a/c", stamp))
    file = await two.parent.outcome("B", 2)
    made = two.parent.outcomes("B")[1].seen
    two.parent.order("B", Delete(3, "a", Kind.DIRECTORY, made.stamp))
    assert await two.parent.outcome("B", 3) == Done(3, None)
    assert (two.b / "a/c").exists()

    two.parent.order("B", Delete(4, "a/c", Kind.FILE, file.seen.stamp))
    await two.parent.outcome("B", 4)

    assert not (two.b / "a").exists()
    assert await two.nothing_told()


async def test_many_puts_are_all_answered(two):
    for number in range(600):
        (two.a / f"{number}").write_text(f"content {number}")
    await two.parent.until(lambda: len(two.parent.found("A")) == 600)
    found = two.parent.found("A").values()

    orders = [copy(int(f.seen.path), f.seen.path, f.seen.stamp) for f in found]
    two.parent.order("B", *orders)
    await two.parent.until(lambda: len(two.parent.outcomes("B")) == 600)

    assert all(isinstance(o, Done) for o in two.parent.outcomes("B").values())
    assert (two.b / "77").read_text() == "content 77"


async def test_a_large_content_does_not_hold_up_small_ones(two):
    large = await two.made("large", os.urandom(48 << 20))
    small = await two.made("small", b"x")

    two.parent.order("B", copy(1, "large", large), copy(2, "small", small))
    await two.parent.outcome("B", 2)
    done = await two.parent.outcome("B", 1)

    assert list(two.parent.outcomes("B")) == [2, 1]
    assert done.digest == blake3((two.a / "large").read_bytes()).digest()


async def test_a_put_with_a_hint_renames_instead_of_copying(two):
    stamp = await two.made("a", b"content")
    done = await two.put(1, "a", stamp)

    hint = ("a", done.seen.stamp)
    moved = await two.put(2, "d/b", stamp, hint=hint)

    assert moved.copied == 0
    assert moved.seen.stamp.inode == done.seen.stamp.inode
    assert not (two.b / "a").exists()
    assert await two.nothing_told()


async def test_a_hint_of_no_use_is_followed_by_a_copy(two):
    stamp = await two.made("a", b"content")

    done = await two.put(1, "a", stamp, hint=("nowhere", stamp))

    assert done.copied == 7


@pytest.mark.parametrize("how", ["rewritten", "deleted", "unknown entry"])
async def test_a_source_that_cannot_give_the_content_fails_the_order(two, how):
    stamp = await two.made("a", b"content")
    sources = [Source("A", "a", stamp)]
    if how == "rewritten":
        (two.a / "a").write_bytes(b"another")
    elif how == "deleted":
        (two.a / "a").unlink()
    else:
        sources = [Source("nobody", "a", stamp), Source("B", "a", stamp)]

    failed = await two.put(1, "a", stamp, sources=sources)

    assert isinstance(failed, Failed)
    assert failed.why is Why.SOURCE
    assert names(two.b) == [".syncd-marker"]


async def test_another_digest_than_ordered_is_the_sources_fault(two):
    stamp = await two.made("a", b"content")

    failed = await two.put(1, "a", stamp, digest=bytes(32))

    assert failed.why is Why.SOURCE


async def test_the_next_source_is_asked_when_one_fails(two):
    stamp = await two.made("a", b"content")
    sources = [
        Source("nobody", "a", stamp),
        Source("A", "b", stamp),
        Source("A", "a", stamp),
    ]

    done = await two.put(1, "a", stamp, sources=sources)

    assert isinstance(done, Done)


async def test_a_source_that_was_stopped_and_came_back_is_asked_anew(two):
    stamp = await two.made("a", b"content")
    await two.put(1, "a", stamp)
    await two.parent.stop("A")
    failed = await two.put(2, "b", stamp, sources=[Source("A", "a", stamp)])
    two.parent.start("A")
    await two.parent.walked("A")
    done = await two.put(3, "b", stamp, sources=[Source("A", "a", stamp)])

    assert failed.why is Why.SOURCE
    assert isinstance(done, Done)


async def test_an_edited_target_is_left_alone_and_told(two):
    stamp = await two.made("a", b"content")
    done = await two.put(1, "a", stamp)
    await two.parent.stop("B")
    (two.b / "a").write_bytes(b"edited here")
    two.parent.start("B")
    await two.parent.walked("B")

    failed = await two.put(2, "a", stamp, replaces=done.seen.stamp)

    assert failed.why is Why.CHANGED
    assert (two.b / "a").read_bytes() == b"edited here"
    assert two.parent.found("B")["a"].seen.stamp.size == 11
    kinds = [type(m) for m in two.parent.up["B"] if not isinstance(m, wire.Told)]
    assert kinds.index(wire.Changes) < kinds.index(wire.Outcomes)


async def test_what_is_no_news_is_told_when_an_order_expected_something_else(two):
    stamp = await two.made("a", b"content")
    done = await two.put(1, "a", stamp)

    again = await two.put(2, "a", stamp)
    elsewhere = [Source("A", "a", stamp)]
    gone = await two.put(3, "b", stamp, sources=elsewhere, replaces=done.seen.stamp)

    assert again.why is Why.CHANGED
    assert gone.why is Why.CHANGED
    found, absent = two.parent.changes("B")
    assert isinstance(found, Found)
    assert found.seen == done.seen
    assert absent == Gone("b", absent.cause)


async def test_a_storage_that_refuses_blocks_only_that_path(two):
    stamp = await two.made("a", b"content")
    long = "x" * 300

    sources = [Source("A", "a", stamp)]
    two.parent.order("B", copy(1, long, stamp, sources=sources), copy(2, "a", stamp))
    failed = await two.parent.outcome("B", 1)

    assert failed.why is Why.BLOCKED
    assert failed.reason
    assert isinstance(await two.parent.outcome("B", 2), Done)


async def test_setting_aside_renames_and_is_no_news(two):
    stamp = await two.made("a", b"content", entry="B")
    before = two.parent.changes("B")

    two.parent.order("B", SetAside(1, "a", stamp, "a.conflict"))
    done = await two.parent.outcome("B", 1)

    assert done.seen.path == "a.conflict"
    assert (two.b / "a.conflict").read_bytes() == b"content"
    assert await two.nothing_told()
    assert two.parent.changes("B")[:-1] == before


async def test_inspecting_tells_digest_and_type(two):
    stamp = await two.made("a", b"<!DOCTYPE html><html></html>", entry="B")

    two.parent.order("B", Inspect(1, "a", stamp, digest=True, mime=True))
    done = await two.parent.outcome("B", 1)

    assert done.digest == blake3(b"<!DOCTYPE html><html></html>").digest()
    assert done.mime == "text/html"
    assert done.seen.stamp == stamp


async def test_a_newer_order_replaces_one_that_waits(two):
    stamp = await two.made("a", b"content")
    old = copy(1, "a", Stamp(1, 1, 1, 1), sources=[])

    two.parent.order("B", old, copy(2, "a", stamp))

    first, second = await two.parent.outcome("B", 1), await two.parent.outcome("B", 2)
    assert (first.why, first.reason) == (Why.CHANGED, "superseded")
    assert isinstance(second, Done)


async def test_a_newer_order_calls_off_a_running_transfer(parent):
    """The older one has come to a halt in mid content, so it cannot end first."""
    root, faults = parent.folder / "A", parent.folder / "faults"
    options = {"root": str(root), "faults": str(faults)}
    a = parent.entry("A", "tests.faults.faulty:Faulty", **options)
    two = Two(parent, a, parent.entry("B"))
    for name in ("A", "B"):
        parent.start(name)
        await parent.walked(name)
    large = await two.made("a", os.urandom(20 << 20))

    faults.write_text('{"read": "half"}')
    two.parent.order("B", copy(1, "a", large))
    await two.parent.until(lambda: any(p.suffix == ".tmp" for p in two.b.iterdir()))
    faults.unlink()
    small = await two.made("b", b"short")
    newer = copy(2, "a", small, sources=[Source("A", "b", small)])
    two.parent.order("B", newer)

    assert isinstance(await two.parent.outcome("B", 2), Done)
    assert (await two.parent.outcome("B", 1)).why is Why.CHANGED
    assert (two.b / "a").read_bytes() == b"short"


@pytest.mark.parametrize("size", [100, 20 << 20])
async def test_an_order_that_comes_twice_is_carried_out_once(two, size: int):
    stamp = await two.made("a", os.urandom(size))
    put = copy(1, "a", stamp)

    two.parent.order("B", put, put)
    two.parent.order("B", put)

    assert isinstance(await two.parent.outcome("B", 1), Done)
    assert await two.nothing_told()
    answers = [m for m in two.parent.up["B"] if isinstance(m, wire.Outcomes)]
    assert [type(one) for m in answers for one in m.outcomes][:1] == [Done]
    assert (two.b / "a").stat().st_size == size


async def test_progress_of_a_long_transfer_is_told(two):
    size = 300 << 20
    with (two.a / "a").open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    stamp = (await two.parent.seen("A", "a")).stamp

    two.parent.order("B", copy(1, "a", stamp))
    progress = await two.parent.got("B", wire.Progress)

    assert progress.id == 1
    assert 0 < progress.copied <= size
    await two.parent.outcome("B", 1)


async def test_stopping_leaves_no_temporary_file(two):
    stamp = await two.made("a", os.urandom(200 << 20))

    two.parent.order("B", copy(1, "a", stamp))
    await asyncio.sleep(0.05)

    assert await two.parent.stop("B") == 0
    assert not [name for name in names(two.b) if name.endswith(".tmp")]


async def test_content_comes_in_chunks_from_a_storage_without_descriptors(parent):
    """The memory of one child is filled by another, and read by a third."""
    a, c = parent.entry("A"), parent.entry("C")
    parent.entry("M", driver="memory")
    for name in ("A", "M", "C"):
        parent.start(name)
        await parent.walked(name)
    (a / "f").write_bytes(os.urandom(3 << 20))
    stamp = (await parent.seen("A", "f")).stamp

    parent.order("M", copy(1, "f", stamp))
    kept = await parent.outcome("M", 1)
    sources = [Source("M", "f", kept.seen.stamp)]
    parent.order("C", copy(2, "f", stamp, sources=sources))
    done = await parent.outcome("C", 2)

    assert done.digest == blake3((a / "f").read_bytes()).digest()
    assert (c / "f").read_bytes() == (a / "f").read_bytes()
