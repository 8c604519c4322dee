import fcntl
import os

import pytest

from syncd.errors import StorageError, StorageFull, StorageReadOnly
from syncd.vaults import durable


@pytest.fixture
def with_reflinks(monkeypatch):
    """Have the file system share contents between inodes, as btrfs and xfs do."""

    def clone(target: int, request: int, source: int) -> int:
        assert request == 0x40049409
        os.sendfile(target, source, 0, os.fstat(source).st_size)
        return 0

    monkeypatch.setattr(durable._Clones, "refused", set())
    monkeypatch.setattr(fcntl, "ioctl", clone)


def test_a_hard_link_where_there_are_no_reflinks(tmp_path):
    (tmp_path / "old").write_bytes(b"content")

    assert durable.share(tmp_path / "old", tmp_path / "new")
    assert (tmp_path / "new").stat().st_ino == (tmp_path / "old").stat().st_ino
    with pytest.raises(FileExistsError):
        durable.share(tmp_path / "old", tmp_path / "new")


def test_an_inode_of_its_own_where_there_are(tmp_path, with_reflinks):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"content")
    old.chmod(0o640)
    os.utime(old, ns=(1, 1_000_000_001))

    assert durable.share(old, new)
    assert new.read_bytes() == b"content"
    assert new.stat().st_ino != old.stat().st_ino
    assert new.stat().st_mtime_ns == 1_000_000_001
    assert new.stat().st_mode & 0o777 == 0o640


def test_a_full_disk_is_no_reason_to_link(tmp_path, with_reflinks, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fcntl, "ioctl", full)
    (tmp_path / "old").write_bytes(b"content")
    with pytest.raises(OSError, match="No space"):
        durable.share(tmp_path / "old", tmp_path / "new")

    assert not (tmp_path / "new").exists()


def test_what_is_gone_cannot_be_shared(tmp_path):
    assert not durable.share(tmp_path / "gone", tmp_path / "new")


def test_replacing_is_whole_even_after_a_crash(tmp_path):
    (tmp_path / "f").write_bytes(b"old")
    (tmp_path / ".syncd-f").write_bytes(b"left by a crash")
    durable.replace(tmp_path / "f", b"new")

    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("f", b"new")]


@pytest.mark.parametrize(
    ("number", "kind"), [(28, StorageFull), (30, StorageReadOnly), (5, StorageError)]
)
def test_what_the_system_refuses_is_told_with_its_place(number, kind):
    with pytest.raises(kind, match=r"^here: "), durable.telling("here"):
        raise OSError(number, os.strerror(number))
    with pytest.raises(kind, match=r"^b\\xff: "), durable.telling("here"):
        raise OSError(number, os.strerror(number), os.fsdecode(b"b\xff"))
