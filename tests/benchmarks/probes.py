"""What a reader of the copy sees while the original is being written or replaced."""

import hashlib
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.benchmarks.followers import Follower, Lsyncd, wait_gently
from tests.benchmarks.ours import Syncd
from tests.benchmarks.plan import Plan, Result, Row
from tests.benchmarks.workshop import Workshop

PIECE = 100 * 1024
PIECES = 10
WHOLE = 2**20
REPLACED = 15
PATIENT = 3.0
"""How many times as long as it took to write the last version is waited for: rsync
never brings it when it has the size and the second of the one before.
"""


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return which partial sizes were seen, and what a reader in a loop got."""
    result = Result("What a reader of the copy sees")
    seconds = plan.pick(5.0, 1.0)
    for follower in (Syncd(), Lsyncd(0)):
        if follower.is_here():
            result.rows.append(_probe(workshop, follower, seconds))
    result.notes.append(
        f"slow writer: {PIECES} x {PIECE // 1024} KiB in {seconds:g} s;"
        f" replacement: {REPLACED} x 1 MiB by rename within {seconds:g} s"
    )
    return result


def _probe(workshop: Workshop, follower: Follower, seconds: float) -> Row:
    source, target, work = (workshop.new_folder() for _ in range(3))
    (source / "there before").write_bytes(os.urandom(PIECE))
    with follower.following(source, target, work) as tool:
        wait_gently(lambda: tool.has_copied(1))
        partial = _slow_writer(source / "slow", target / "slow", seconds)
        seen, came = _replacement(source / "replaced", target / "replaced", seconds)
    return {
        "tool": follower.name,
        "partial sizes seen": ", ".join(f"{n // 1024} KiB" for n in partial) or "none",
        "reader: ok": seen["ok"],
        "missing": seen["missing"],
        "torn": seen["torn"],
        "last version came": "yes" if came else "no",
    }


def _slow_writer(source: Path, target: Path, seconds: float) -> list[int]:
    """Return the sizes that the copy had before it had all of it."""
    seen: set[int] = set()

    def look() -> bool:
        with suppress(FileNotFoundError):
            seen.add(target.stat().st_size)
        return PIECE * PIECES in seen

    with source.open("wb", buffering=0) as file:
        for _ in range(PIECES):
            file.write(os.urandom(PIECE))
            until = time.monotonic() + seconds / PIECES
            while time.monotonic() < until:
                look()
                time.sleep(0.0005)
    wait_gently(look, 0.0005)
    return sorted(seen - {PIECE * PIECES})


def _replacement(
    source: Path, target: Path, seconds: float
) -> tuple[Counter[str], bool]:
    """Return how often the copy was whole, missing or torn; and if the last came."""
    contents = [os.urandom(WHOLE) for _ in range(REPLACED)]
    known = {hashlib.blake2b(content).digest() for content in contents}
    source.write_bytes(contents[0])
    wait_gently(lambda: _is(target, contents[0]))
    seen: Counter[str] = Counter()
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                digest = hashlib.blake2b(target.read_bytes()).digest()
                seen["ok" if digest in known else "torn"] += 1
            except FileNotFoundError:
                seen["missing"] += 1

    reader = threading.Thread(target=read, name="reader")
    reader.start()
    try:
        for content in contents[1:]:
            fresh = source.with_name(".fresh")
            fresh.write_bytes(content)
            fresh.rename(source)
            time.sleep(seconds / REPLACED)
        deadline = time.monotonic() + PATIENT * seconds
        while not (came := _is(target, contents[-1])) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        over.set()
        reader.join()
    return seen, came


def _is(path: Path, content: bytes) -> bool:
    with suppress(FileNotFoundError):
        return path.read_bytes() == content
    return False
