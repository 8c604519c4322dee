"""Small disks of our own, that can be filled, made read-only, broken and taken away."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BLOCK = 4096


class Disk:
    """A mounted disk, and what people and fate do to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / ".syncd-ballast"

    def fill(self, but: int = 0) -> None:
        """Leave no room on it but so many bytes; later calls add to what is there."""
        free = os.statvfs(self.folder)
        with suppress(OSError), self._ballast.open("ab") as file:
            left = free.f_bfree * free.f_frsize - but
            while left > 0:
                left -= file.write(bytes(min(left, 1 << 16)))
                file.flush()

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def be_read_only(self, *, read_only: bool = True) -> None:
        """Take, or take no more, what is written."""
        how = "ro" if read_only else "rw"
        _run("mount", "-o", f"remount,{how}", str(self.folder))


@contextmanager
def small_disk(folder: Path, size: int, *, names: int = 0) -> Iterator[Disk]:
    """Lend a disk of so many bytes, in memory, at the folder; 0 names: no limit."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size},nr_inodes={names},mode=755"
    _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))
    try:
        yield Disk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    """Let nobody, not even root, change anything in the folder."""
    _run("mount", "--bind", str(folder), str(folder))
    try:
        _run("mount", "-o", "remount,bind,ro", str(folder))
        yield
    finally:
        _run("umount", "--lazy", str(folder))


class FailingDisk(Disk):
    """A real file system on an image that can be cut short."""

    def __init__(self, image: Path, folder: Path) -> None:
        super().__init__(folder)
        self._image = image

    def break_content(self, path: Path) -> None:
        """Have the content of the file written last fail to be read from now on."""
        with path.open("rb") as file:
            os.fsync(file.fileno())
            start = _place(path)
            os.truncate(self._image, start)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def failing_disk(image: Path, folder: Path, size: int) -> Iterator[FailingDisk]:
    """Lend a disk in an image, mounted at the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(size)
    _run("mkfs.ext4", "-q", "-F", "-b", str(BLOCK), "-O", "^has_journal", str(image))
    _run("mount", "-o", "loop", str(image), str(folder))
    try:
        yield FailingDisk(image, folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _place(path: Path) -> int:
    """Return where on its disk a file's content begins."""
    told = _run("filefrag", "-v", f"-b{BLOCK}", str(path))
    found = re.search(r"^ *0: +\d+\.\. *\d+: +(\d+)\.\.", told, re.MULTILINE)
    assert found, told
    return int(found[1]) * BLOCK


def _run(*command: str) -> str:
    """Return what a command says that must succeed: these tests are for root."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, f"{' '.join(command)}: {done.stderr} (are we root?)"
    return done.stdout
