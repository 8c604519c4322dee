"""Small disks of our own, that can be filled, made read-only, broken and taken away."""

import os
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
        with self._ballast.open("ab") as file, suppress(OSError):
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
def small_disk(folder: Path, size: int) -> Iterator[Disk]:
    """Lend a disk of so many bytes, in memory, at the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder))
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


@contextmanager
def failing_disk(image: Path, folder: Path, size: int) -> Iterator[Disk]:
    """Lend a real file system in an image; cut the image short and reading it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(size)
    _run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", str(image))
    _run("mount", "-o", "loop", str(image), str(folder))
    try:
        yield Disk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    """Run a command that must succeed: these tests are for root."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, f"{' '.join(command)}: {done.stderr} (are we root?)"
