"""Much at once, or again and again: scenarios 43, 48, 50 and 52."""

import os
import random
import threading
import time

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.acceptance.trees import content


def transfers(daemon: Daemon) -> list[str]:
    """Return the paths of all contents that were copied, in turn."""
    return [
        facts["filename"]
        for kind, facts in daemon.events()
        if kind == "transfer" and facts["state"] == "done" and facts["bytes"]
    ]


def test_43_a_stopped_entry_catches_up_with_500_changes(wild: Daemon):
    """Made, edited, deleted and renamed meanwhile: each file is copied once."""
    for number in range(200):
        wild.write("A", f"{number % 10}/{number}", content(300, seed=number))
    wild.converged()
    wild.stop_entry("B")
    before = len(transfers(wild))

    chance = random.Random(43)
    for number in range(500):
        name = f"{number % 10}/{chance.randrange(300)}"
        path = wild.path("A", name)
        match chance.randrange(4):
            case 0 if path.exists():
                path.unlink()
            case 1 if path.exists():
                path.rename(path.with_name(f"renamed {number}"))
            case _:
                wild.write("A", name, content(400, seed=("new", number)))
    wild.write("A", "last")
    wait_for(lambda: wild.file("last"))
    wild.start_entry("B")

    wild.arrives("B", "last")
    final = wild.converged(within=60)
    copied = transfers(wild)[before:]
    assert len(copied) == len(set(copied))
    assert set(copied) <= {os.fsdecode(name) for name in final}
    assert not wild.conflicts()


def test_48_thirty_writers_at_once(three: Daemon):
    """10 writers on each of three entries, 100 files of any size each: all arrive."""

    def write(entry: str, number: int) -> None:
        chance = random.Random(f"{entry}{number}")
        for index in range(100):
            size = min(int(chance.lognormvariate(7, 2)), 3_000_000)
            name = f"{entry}/{number}/{index}"
            three.write(entry, name, content(size, seed=name))

    writers = [
        threading.Thread(target=write, args=(entry, number))
        for entry in three.entries
        for number in range(10)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    final = three.converged(within=60)
    assert sum(kind == "file" for kind, *_ in final.values()) == 3000
    assert not three.conflicts()


def test_50_pages_while_files_are_made(pair: Daemon):
    """Whoever reads page by page meets each file once, and all that were there."""
    before = [f"before/{number}" for number in range(300)]
    for name in before:
        pair.write("A", name)
    pair.converged()

    def make() -> None:
        for number in range(1000):
            pair.write("A", f"a/{number}")

    maker = threading.Thread(target=make)
    maker.start()
    names: list[str] = []
    while page := pair.get(f"/files?offset={len(names)}&limit=50")["files"]:
        names += [file["filename"] for file in page]
    maker.join()

    assert len(names) == len(set(names))
    assert set(before) <= set(names)
    pair.converged(within=60)
    assert len(pair.files()) == 1300


def test_52_a_log_grows(pair: Daemon):
    """A line every tenth of a second: the copy is always a beginning of it."""
    lines = 60
    log = pair.path("A", "log")
    for number in range(lines):
        with log.open("ab") as file:
            file.write(b"line %d\n" % number)
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            assert log.read_bytes().startswith(pair.read("B", "log") or b"")
            time.sleep(0.01)

    pair.arrives("B", "log", log.read_bytes())
    pair.converged()
    assert len(transfers(pair)) <= lines
    assert not pair.conflicts()


def test_52_a_log_that_is_kept_open(pair: Daemon):
    """Nothing of it goes anywhere before it is closed; then all of it does, once."""
    with pair.path("A", "log").open("ab") as log:
        for number in range(30):
            log.write(b"line %d\n" % number)
            log.flush()
            time.sleep(0.1)
            assert pair.read("B", "log") is None

    pair.arrives("B", "log", pair.path("A", "log").read_bytes())
    pair.converged()
    assert transfers(pair) == ["log"]
