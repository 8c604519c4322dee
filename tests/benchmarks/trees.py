"""The files that are copied: made, counted, compared."""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from tests.acceptance import trees

PER_FOLDER = 100
BLOCK = 2**20
MARKERS = (".stfolder", ".syncd-marker")
"""What tools leave in the root of what they watch."""


def fill(root: Path, files: int, size: int) -> None:
    """Write random files, a hundred to a folder, and wait for the disk."""
    for number in range(files):
        folder = root / f"{number // PER_FOLDER:04}"
        if number % PER_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"{number % PER_FOLDER:02}").write_bytes(os.urandom(size))
    os.sync()


def fill_one(path: Path, size: int) -> None:
    """Write one random file of any size, and wait for the disk."""
    with path.open("wb") as file:
        for _ in range(size // BLOCK):
            file.write(os.urandom(BLOCK))
    os.sync()


def settle_disk(rest: float = 0.1) -> None:
    """Let the disk finish what others wrote, so that nobody pays for it."""
    os.sync()
    time.sleep(rest)


def count(root: Path) -> int:
    """Return how many files lie below a root; temporary (hidden) ones do not count."""
    found = 0
    for _, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += sum(not name.startswith(".") for name in files)
    return found


def sizes(root: Path) -> dict[str, int]:
    """Return the size of every file below a root that is not hidden.

    What vanishes while it is looked at is not there.
    """
    found: dict[str, int] = {}
    waiting = [str(root)]
    while waiting:
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    name = entry.path.removeprefix(str(root))
                    found[name] = entry.stat(follow_symlinks=False).st_size
    return found


def assert_equal(source: Path, target: Path) -> None:
    """Fail unless both hold the same files with the same content."""
    one, other = (
        {
            name: what
            for name, what in trees.tree(root).items()
            if not os.fsdecode(name).startswith(MARKERS)
        }
        for root in (source, target)
    )
    told = trees.difference(one, other)
    assert not told, told


def remove_markers(root: Path) -> None:
    """Make a folder look as if no tool had been there."""
    for name in MARKERS:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
