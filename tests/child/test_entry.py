"""The life of a child: greeting, working, resting, ending; as a real process."""

import asyncio
import ctypes
import os
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd import wire
from syncd.core.change import Failed, Found, Gone, Put, Why
from syncd.core.file import Kind


def filled(parent, name="A", files=("a", "d/b")):
    root = parent.entry(name)
    for path in files:
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(path)
        os.utime(root / path, (1, 1))
    return root


async def started(parent, name="A"):
    parent.start(name)
    await parent.walked(name)


@contextmanager
def counted_opens(*folders: Path) -> Iterator[list[str]]:
    """Tell which files are opened in the folders meanwhile."""
    libc = ctypes.CDLL(None)
    opened: list[str] = []
    handle = libc.inotify_init1(os.O_NONBLOCK)
    for folder in folders:
        libc.inotify_add_watch(handle, os.fsencode(folder), 0x20)
    yield opened
    try:
        data = os.read(handle, 1 << 16)
    except BlockingIOError:
        data = b""
    os.close(handle)
    while data:
        _, flags, _, length = struct.unpack_from("iIII", data)
        name = data[16 : 16 + length].rstrip(b"\0").decode()
        if not flags & 0x40000000:
            opened.append(name)
        data = data[16 + length :]


async def test_the_start_is_told_step_by_step(parent):
    filled(parent)
    await started(parent)

    steps = [type(m) for m in parent.up["A"] if not isinstance(m, wire.Told)]
    assert steps == [wire.Ask, wire.Hello, wire.Changes, wire.Walked]
    hello = parent.up["A"][1]
    assert (hello.marker, hello.empty, hello.ledger, hello.noted) == (
        None,
        False,
        None,
        0,
    )
    walked = await parent.got("A", wire.Walked)
    assert walked.first
    assert walked.paths == 3


async def test_the_storage_carries_the_marker_it_was_given(parent):
    root = parent.entry("A")
    await started(parent)
    await parent.stop("A")
    await started(parent)

    hello = await parent.got("A", wire.Hello)
    assert hello.marker == "id of A"
    assert hello.empty
    assert "id of A" in (root / ".syncd-marker").read_text()


async def test_a_restart_with_nothing_changed_tells_nothing_and_opens_no_file(parent):
    root = filled(parent)
    await started(parent)
    await parent.stop("A")

    with counted_opens(root, root / "d") as opened:
        await started(parent)

    assert parent.changes("A") == []
    assert set(opened) <= {".syncd-marker"}
    hello = await parent.got("A", wire.Hello)
    assert (hello.ledger, hello.noted) == ("index", 1)


async def test_a_restart_finds_what_changed_meanwhile(parent):
    root = filled(parent, files=("a", "b", "c", "d/e", "d/f/g"))
    await started(parent)
    await parent.stop("A")
    (root / "a").write_text("edited")
    os.utime(root / "a", (2, 2))
    (root / "b").unlink()
    (root / "d").rename(root / "z")
    (root / "new").write_text("new")
    os.utime(root / "new", (2, 2))

    await started(parent)

    found = {c.seen.path: c.old for c in parent.changes("A") if isinstance(c, Found)}
    gone = [c.path for c in parent.changes("A") if isinstance(c, Gone)]
    assert found == {
        "a": None,
        "new": None,
        "z": "d",
        "z/e": "d/e",
        "z/f": "d/f",
        "z/f/g": "d/f/g",
    }
    assert sorted(gone) == ["b", "d", "d/e", "d/f", "d/f/g"]
    assert gone.index("d/f/g") < gone.index("d/f") < gone.index("d")


async def test_what_was_not_noted_is_told_again_after_a_rest(parent):
    parent.notes = False
    filled(parent)
    await started(parent)
    resting = wire.Welcome("index", "id of A", forget=False, suspended="a rest")
    parent.send("A", resting)
    parent.send("A", wire.Welcome("index", "id of A", forget=False))

    def batches():
        return [m for m in parent.up["A"] if isinstance(m, wire.Changes)]

    await parent.until(lambda: len(batches()) == 2)
    first, second = batches()
    assert first.number == second.number == 1
    paths = [[c.seen.path for c in one.changes] for one in (first, second)]
    assert paths[0] == paths[1] == ["a", "d", "d/b"]


async def test_another_wish_while_at_work_has_nothing_told_again(parent):
    parent.notes = False
    filled(parent)
    await started(parent)
    parent.send("A", wire.Welcome("index", "id of A", forget=False, mime=True))
    parent.send("A", wire.Rescan())
    await parent.until(
        lambda: any(isinstance(m, wire.Walked) and not m.first for m in parent.up["A"])
    )

    assert len([m for m in parent.up["A"] if isinstance(m, wire.Changes)]) == 1


async def test_what_is_not_there_and_not_known_is_told_when_asked(parent):
    filled(parent)
    await started(parent)
    parent.send("A", wire.Look(["a", "never", "d/b"]))

    await parent.until(lambda: Gone in [type(c) for c in parent.changes("A")])
    gone = [c.path for c in parent.changes("A") if isinstance(c, Gone)]
    assert gone == ["never"]


async def test_that_everything_asked_was_told_is_told_last(parent):
    filled(parent)
    await started(parent)
    parent.send("A", wire.Look(["never"]))
    parent.send("A", wire.Look(["nor this", "a"]))
    parent.send("A", wire.Look([], last=True))

    await parent.got("A", wire.Looked)
    gone = [c.path for c in parent.changes("A") if isinstance(c, Gone)]
    assert sorted(gone) == ["never", "nor this"]
    assert isinstance(parent.up["A"][-1], wire.Looked)


async def test_changes_never_noted_are_found_again_after_a_crash(parent):
    parent.notes = False
    filled(parent)
    await started(parent)
    parent.kill("A")
    parent.notes = True
    await started(parent)

    assert set(parent.found("A")) == {"a", "d", "d/b"}
    assert parent.up["A"][1].noted == 0


async def test_a_walk_waits_when_too_much_is_not_noted(parent):
    parent.notes = False
    root = parent.entry("A")
    for number in range(10_000):
        (root / f"{number}").touch()
        os.utime(root / f"{number}", (1, 1))
    parent.start("A")

    def batches():
        return [m for m in parent.up["A"] if isinstance(m, wire.Changes)]

    await parent.until(lambda: len(batches()) >= 16)
    await asyncio.sleep(0.3)
    assert len(batches()) == 16
    assert not [m for m in parent.up["A"] if isinstance(m, wire.Walked)]
    parent.notes = True
    parent.send("A", wire.Noted(16))
    await parent.walked("A")
    assert len(parent.found("A")) == 10_000


async def test_an_entry_without_its_folder_says_so_and_waits(parent):
    root = parent.entry("A")
    root.rmdir()
    parent.start("A")

    hello = await parent.got("A", wire.Hello)
    assert "cannot be opened" in hello.trouble
    root.mkdir()
    await parent.walked("A")


async def test_a_swapped_root_suspends_the_entry_and_nothing_is_said_gone(parent):
    root = filled(parent)
    await started(parent)
    parent.up["A"].clear()

    root.rename(root.with_name("away"))
    root.mkdir()
    parent.send("A", wire.Rescan())
    await parent.got("A", wire.Suspended)
    hello = await parent.got("A", wire.Hello)
    assert (hello.marker, hello.empty) == (None, True)
    root.rmdir()
    root.with_name("away").rename(root)
    parent.send("A", wire.Welcome("index", "id of A", forget=False))
    await parent.until(
        lambda: any(
            isinstance(m, wire.Hello) and m.marker == "id of A" for m in parent.up["A"]
        )
    )
    await parent.walked("A")

    assert parent.changes("A") == []


async def test_a_suspended_entry_tells_and_does_nothing(parent):
    root = filled(parent)
    parent.welcome = lambda _: wire.Welcome("index", "m", forget=True, suspended="why")
    parent.start("A")
    await parent.got("A", wire.Hello)
    put = Put(1, "f", Kind.DIRECTORY, 0, 0, 0o755, None, None, [], None)
    parent.order("A", put)

    failed = await parent.outcome("A", 1)

    assert isinstance(failed, Failed)
    assert failed.why is Why.BLOCKED
    assert parent.changes("A") == []
    assert not (root / ".syncd-marker").exists()
    parent.send("A", wire.Welcome("index", "m", forget=True))
    await parent.walked("A")
    assert len(parent.found("A")) == 3


async def test_a_running_entry_can_be_suspended(parent):
    root = filled(parent)
    await started(parent)
    parent.send("A", wire.Welcome("index", "id of A", forget=False, suspended="held"))
    parent.send("A", wire.Rescan())
    await asyncio.sleep(0.2)
    parent.up["A"].clear()

    (root / "a").unlink()
    await asyncio.sleep(0.2)
    assert parent.changes("A") == []
    parent.send("A", wire.Welcome("index", "id of A", forget=False))
    await parent.walked("A")
    assert [c.path for c in parent.changes("A")] == ["a"]


async def test_a_foreign_storage_is_adopted_only_when_told(parent):
    root = filled(parent)
    (root / ".syncd-marker").write_text('{"entry": "a stranger"}')
    parent.welcome = lambda hello: wire.Welcome(
        "index", "ours", forget=True, suspended=None if hello.marker == "ours" else "?"
    )
    parent.start("A")
    hello = await parent.got("A", wire.Hello)
    assert hello.marker == "a stranger"

    parent.send("A", wire.Adopt("ours"))
    await parent.walked("A")

    assert '"ours"' in (root / ".syncd-marker").read_text()


async def test_a_welcome_of_another_index_has_everything_told_anew(parent):
    filled(parent)
    await started(parent)
    parent.up["A"].clear()

    parent.send("A", wire.Welcome("another", "id of A", forget=True))
    await parent.walked("A")

    assert set(parent.found("A")) == {"a", "d", "d/b"}
    assert [m.number for m in parent.up["A"] if isinstance(m, wire.Changes)] == [1]


async def test_a_rescan_of_a_part_finds_what_is_there(parent):
    filled(parent)
    await started(parent)
    parent.send("A", wire.Rescan("d"))
    parent.send("A", wire.Rescan(""))

    walks = lambda: [m for m in parent.up["A"] if isinstance(m, wire.Walked)]  # noqa: E731
    await parent.until(lambda: len(walks()) == 2)

    assert [w.first for w in walks()] == [True, False]


async def test_51_a_rescan_of_a_part_finds_what_is_gone_there_and_looks_nowhere_else(
    parent,
):
    """Of a storage that tells nothing by itself: only what was asked for is found."""
    root = str(parent.folder / "A")
    a = parent.entry("A", "tests.faults.faulty:Unwatched", root=root)
    for path in ("d/deep/gone", "d/stays", "e/edited"):
        (a / path).parent.mkdir(parents=True, exist_ok=True)
        (a / path).write_text(path)
        os.utime(a / path, (1, 1))
    await started(parent)
    assert len(parent.found("A")) == 6
    parent.up["A"].clear()
    (a / "d/deep/gone").unlink()
    (a / "d/deep").rmdir()
    (a / "e/edited").write_text("otherwise")

    parent.send("A", wire.Rescan("d"))
    await parent.until(lambda: len(parent.changes("A")) == 2)
    assert [one.path for one in parent.changes("A")] == ["d/deep/gone", "d/deep"]

    parent.send("A", wire.Rescan("e"))
    await parent.until(lambda: len(parent.changes("A")) == 3)
    assert set(parent.found("A")) == {"e/edited"}


async def test_what_is_newly_ignored_is_not_said_to_be_gone(parent):
    filled(parent, files=("a", "x.tmp"))
    await started(parent)
    await parent.stop("A")
    parent.ignore = ["*.tmp"]
    await started(parent)
    assert parent.changes("A") == []
    await parent.stop("A")

    (parent.folder / "A" / "a").unlink()
    await started(parent)
    assert [c.path for c in parent.changes("A")] == ["a"]


async def test_a_broken_ledger_is_put_aside_and_everything_told(parent):
    filled(parent)
    await started(parent)
    await parent.stop("A")
    ledger = parent.folder / "state" / "A" / "ledger.db"
    ledger.write_bytes(b"not a database" * 1000)

    await started(parent)

    hello = await parent.got("A", wire.Hello)
    assert hello.ledger is None
    told = await parent.got("A", wire.Told)
    assert told.event.startswith("the ledger was broken")


async def test_a_ledger_that_breaks_while_running_is_new_after_the_restart(parent):
    filled(parent)
    await started(parent)
    await parent.stop("A")
    ledger = parent.folder / "state" / "A" / "ledger.db"
    with sqlite3.connect(ledger) as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.close()
    data = bytearray(ledger.read_bytes())
    size = len(data) // pages
    data[2 * size :] = b"\xff" * (len(data) - 2 * size)
    ledger.write_bytes(bytes(data))

    parent.start("A")
    told = await parent.got("A", wire.Told)
    assert await parent.ended("A") == 1
    assert (told.level, told.event[:21]) == ("warning", "the ledger was broken")
    parent.markers.clear()
    await started(parent)
    assert set(parent.found("A")) == {"a", "d", "d/b"}


async def test_figures_are_a_sign_of_life(parent):
    filled(parent)
    await started(parent)

    figures = await parent.got("A", wire.Figures)

    assert figures.watched >= 1
    assert not figures.walking
    assert figures.last_walk is not None
    assert 0 <= figures.blocked < 5


@pytest.mark.parametrize("how", ["stop", "terminate"])
async def test_a_child_ends_when_told(parent, how):
    parent.entry("A")
    await started(parent)

    if how == "terminate":
        parent.children["A"].send_signal(signal.SIGINT)
        parent.send("A", wire.Rescan())
        await parent.until(
            lambda: any(
                isinstance(m, wire.Walked) and not m.first for m in parent.up["A"]
            )
        )
        parent.children["A"].terminate()
        assert await parent.ended("A") == 0
    else:
        assert await parent.stop("A") == 0


async def test_a_child_ends_when_its_parent_is_killed(parent):
    parent.entry("A")
    child = f"{sys.executable} -m syncd.child A --link {parent.folder}/link"
    shell = subprocess.Popen(["sh", "-c", f"{child} --parent $$ & wait"])
    hello = await parent.got("A", wire.Hello)
    await parent.walked("A")
    process = os.pidfd_open(hello.pid)

    shell.kill()
    shell.wait()

    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(process, ended.set)
    async with asyncio.timeout(30):
        await ended.wait()
    asyncio.get_running_loop().remove_reader(process)
    os.close(process)


async def test_a_child_of_somebody_else_ends_at_once(parent):
    parent.entry("A")
    parent.start("A", parent=1)

    assert await parent.ended("A") == 0


async def test_a_second_child_waits_until_the_first_has_ended(parent):
    filled(parent)
    await started(parent)
    first = parent.children.pop("A")
    parent.up["A"].clear()
    parent.start("A")
    await parent.got("A", wire.Ask)
    await asyncio.sleep(0.3)
    assert not [m for m in parent.up["A"] if isinstance(m, wire.Hello)]

    first.terminate()
    await asyncio.to_thread(first.wait)


async def test_what_nobody_expected_is_told_before_the_end(parent):
    parent.entry("A", driver="no_such_package:Driver")
    parent.start("A")

    told = await parent.got("A", wire.Told)

    assert told.level == "error"
    assert "no_such_package" in told.fields["error"]
    assert "install its package anew" in told.fields["error"]
    assert await parent.ended("A") == 1
