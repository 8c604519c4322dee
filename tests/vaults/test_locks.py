import threading

import pytest

from syncd.vaults import locks


def test_one_alone_or_several_together(tmp_path):
    alone = locks.take(tmp_path / "lock")
    for shared in (False, True):
        with pytest.raises(BlockingIOError):
            locks.take(tmp_path / "lock", shared=shared)
    alone.release()
    alone.release()

    one, two = (locks.take(tmp_path / "lock", shared=True) for _ in range(2))
    with pytest.raises(BlockingIOError):
        locks.take(tmp_path / "lock")
    one.release()
    two.release()
    locks.take(tmp_path / "lock").release(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_who_waited_for_a_lock_that_is_removed_gets_one_that_counts(tmp_path):
    path = tmp_path / "lock"
    first = locks.take(path)
    begun, got = threading.Event(), []

    def wait() -> None:
        begun.set()
        got.append(locks.take(path, wait=True))

    waiting = threading.Thread(target=wait)
    waiting.start()
    begun.wait(30)
    while "FLOCK" not in waiters(path):
        assert waiting.is_alive()
    first.release(remove=True)
    waiting.join(30)

    with pytest.raises(BlockingIOError):
        locks.take(path)
    got[0].release()


def waiters(path) -> str:
    """Return what the kernel tells of who waits for a file's lock."""
    inode = path.stat().st_ino
    with open("/proc/locks") as lines:  # noqa: PTH123
        return "".join(one for one in lines if "->" in one and f":{inode} " in one)


def test_who_holds_it_can_be_read(tmp_path):
    lock = locks.take(tmp_path / "lock")
    lock.say(b"a long text")
    lock.say(b"short")
    lock.release()
    lock.say(b"not any more")

    assert (tmp_path / "lock").read_bytes() == b"short"
