"""What it takes to write down what an archive of Borg's holds.

In this process: what a worker does for a catalogue, beside Borg's own list into a
file. The memory is what this process takes more of at its peak.
"""

import asyncio
import os
import re
import subprocess
import time
from pathlib import Path

from syncd.borg.work import carry_out
from syncd.core.borg.listing import batches
from syncd.core.borg.tasks import Catalogue
from syncd.core.borg.values import Encryption, Repository
from syncd.core.job import Progress
from tests.benchmarks import trees
from tests.benchmarks.contestant import program
from tests.benchmarks.plan import Plan, Result, Row
from tests.benchmarks.workshop import Workshop

ARCHIVE = "all"
PEER = "borg list --json-lines > file"


class Deaf:
    """Is told everything, and keeps nothing."""

    def line(self, text: str) -> None:
        pass

    def progress(self, progress: Progress) -> None:
        pass


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return how long both take, in turns."""
    assert program("borg"), "borg is not installed"
    files = plan.pick(200_000, 2000)
    source = workshop.new_folder()
    trees.fill(source, files, 0)
    folder = workshop.new_folder()
    environment = {
        **os.environ,
        "BORG_BASE_DIR": str(folder / "base"),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    }
    path = str(folder / "repository")
    for words in (
        ("borg", "init", "--encryption=none", path),
        ("borg", "create", f"{path}::{ARCHIVE}", str(source)),
    ):
        subprocess.run(words, check=True, env=environment, capture_output=True)
    repository = Repository(path=path, encryption=Encryption.NONE)
    result = Result(f"A catalogue of {files:,} files in one archive")
    ours: list[float] = []
    theirs: list[float] = []
    grown = 0
    for number in range(plan.pick(3, 1)):
        theirs.append(_listed(path, folder / "list", environment))
        seconds, grew = _catalogued(repository, folder, number)
        ours.append(seconds)
        grown = max(grown, grew)
    with (folder / "catalogue").open("rb") as file:
        found = sum(len(batch) for batch in batches(file.read))
    assert found >= files, f"only {found} items are in the catalogue"
    rows: list[Row] = [
        {"tool": PEER, "s": min(theirs)},
        {"tool": "syncd", "s": min(ours), "grew MiB": grown / 2**20},
    ]
    result.rows += rows
    result.notes.append(f"syncd, against {PEER}: s x {min(ours) / min(theirs):.2f}")
    return result


def _listed(path: str, file: Path, environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    with file.open("wb") as into:
        subprocess.run(
            ["borg", "list", "--json-lines", f"{path}::{ARCHIVE}"],
            check=True,
            env=environment,
            stdout=into,
        )
    return time.perf_counter() - begin


def _catalogued(repository: Repository, folder: Path, number: int) -> tuple[float, int]:
    """Return the seconds, and by how many bytes this process grew meanwhile."""
    scratch = folder / f"scratch{number}"
    scratch.mkdir(mode=0o700)
    task = Catalogue(
        repository=repository,
        archive=ARCHIVE,
        file=str(folder / "catalogue"),
        base=str(folder / "base"),
    )
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    before = _peak()
    begin = time.perf_counter()
    asyncio.run(carry_out(task, scratch, Deaf()))
    return time.perf_counter() - begin, _peak() - before


def _peak() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024
