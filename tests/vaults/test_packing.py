import io
import os
import random
import threading

import pytest

from syncd.core.vault import Item, ItemKind, Summary
from syncd.errors import StorageError, StorageFull
from syncd.vaults import earlier
from syncd.vaults.reading import PACKS
from tests.vaults.goods import MADE, OLD, files_of, held, item, keep, nothing


class Trickle(io.BytesIO):
    """Gives a byte or two at a time, as a pipe may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 1, 70_000))


def seal(staging):
    return staging.seal(Summary(name="a", source="s", made=MADE))


@pytest.fixture
def staging(any_store):
    store = any_store()
    with store.stage("a", "s", job="j") as staging:
        staging.vault = lambda: store.get("a")
        yield staging


def test_items_come_back_with_digest_and_real_size(staging):
    small = staging.add(Item(path="A/s", size=1), io.BytesIO(b"more than one"))
    large = staging.add(Item(path="A/l", size=2**21), io.BytesIO(b"x" * 2**22))
    short = staging.add(Item(path="A/t", size=2**21), io.BytesIO(b"less"))
    folder = staging.add(Item(path="A", kind=ItemKind.DIRECTORY, size=4096), None)
    seal(staging)

    assert (small.size, large.size, short.size) == (13, 2**22, 4)
    assert small.sha256 and large.sha256 and folder.sha256 is None
    assert {i.path: i.size for i in staging.vault().items()} == {
        "A": 0,
        "A/l": 2**22,
        "A/s": 13,
        "A/t": 4,
    }
    assert held(staging.vault())["A/l"] == b"x" * 2**22
    assert staging.vault().verify(nothing) == []


def test_descriptors_are_read_from_where_they_are_and_stay_open(staging, tmp_path):
    (tmp_path / "f").write_bytes(b"not this: " + b"this")
    descriptor = os.open(tmp_path / "f", os.O_RDONLY)
    os.lseek(descriptor, 10, os.SEEK_SET)
    staging.add(Item(path="A/f", size=14), descriptor)
    os.close(descriptor)
    seal(staging)

    assert held(staging.vault()) == {"A/f": b"this"}


def test_contents_that_come_in_drops(staging):
    contents = {"A/1": b"a" * 100_000, "A/2": b"b" * 3_000_000}
    for path, content in contents.items():
        staging.add(Item(path=path, size=len(content)), Trickle(content))
    seal(staging)

    assert held(staging.vault()) == contents


def test_of_what_is_added_again_the_last_counts_everywhere(staging, tmp_path):
    goods = {f"A/{n:03}": b"first" * 1000 for n in range(300)}
    goods["A/big"] = b"first" * 500_000
    for path, content in goods.items():
        staging.add(item(path, content), io.BytesIO(content))
    again = {"A/000": b"second", "A/200": b"2" * 2_000_000, "A/big": b"no more"}
    for path, content in again.items():
        staging.add(item(path, content), io.BytesIO(content))
    seal(staging)

    assert held(staging.vault()) == goods | again
    assert staging.vault().verify(nothing) == []
    with staging.vault().folder(tmp_path) as folder:
        assert (folder / "A/000").read_bytes() == b"second"


def test_nothing_of_what_was_replaced_is_left_in_any_pack(store):
    with store.stage("a", "s", job="j") as staging:
        for turn in (b"first!", b"second"):
            for n in range(300):
                staging.add(item(f"A/{n:03}", turn), io.BytesIO(turn))
        seal(staging)

    packs = files_of(store.root / "vaults/a" / PACKS)
    assert b"first!" not in b"".join(path.read_bytes() for path in packs)
    assert len(held(store.get("a"))) == 300


def test_any_order_and_several_threads(staging):
    goods = {f"A/{n % 37}/{n:04}": bytes([n % 256]) * (n * 5) for n in range(3000)}
    items = staging.unchanged([item(path, what) for path, what in goods.items()])
    random.Random(1).shuffle(items)
    left = iter(items)
    turn = threading.Lock()

    def work() -> None:
        while True:
            with turn:
                one = next(left, None)
            if one is None:
                return
            staging.add(one, io.BytesIO(goods[one.path]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal(staging)

    assert held(staging.vault()) == goods
    assert staging.vault().verify(nothing) == []


def test_what_was_planned_need_not_come(staging):
    goods = {f"A/{n:04}": b"x" for n in range(1000)}
    for one in staging.unchanged([item(path, what) for path, what in goods.items()]):
        if one.path != "A/0500":
            staging.add(one, io.BytesIO(b"x"))
    seal(staging)

    assert held(staging.vault()).keys() == goods.keys() - {"A/0500"}


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "a\0b"]
)
def test_paths_that_lead_elsewhere_are_refused(staging, path):
    with pytest.raises(StorageError, match="cannot be the path"):
        staging.add(Item(path=path), io.BytesIO(b""))
    with pytest.raises(StorageError, match="cannot be the path"):
        staging.unchanged([Item(path=path)])


def test_a_file_needs_content(staging):
    with pytest.raises(StorageError, match="without content"):
        staging.add(Item(path="A/f"), None)


def test_a_content_that_cannot_be_read_ends_only_itself(staging):
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(StorageError, match="A/bad"):
        staging.add(Item(path="A/bad"), Broken())
    staging.add(item("A/good", b"x"), io.BytesIO(b"x"))
    seal(staging)

    assert held(staging.vault()) == {"A/good": b"x"}


def test_what_is_added_twice_may_be_shared_twice(any_store):
    store = any_store()
    goods = {"A/large": os.urandom(2_000_000)}
    keep(store, "a", goods)
    with store.stage("b", "default", job="j") as staging:
        for _ in range(2):
            what = goods["A/large"]
            staging.add(item("A/large", what), io.BytesIO(what))
        seal(staging)

    assert held(store.get("b")) == goods
    assert store.get("b").verify(nothing) == []


def test_equal_contents_make_equal_packs(store):
    for name in ("a", "b"):
        with store.stage(name, name, job="j") as staging:
            goods = {f"A/{n:03}": bytes(n) for n in range(500)}
            items = [item(path, what, OLD) for path, what in goods.items()]
            left = staging.unchanged(items)
            for one in random.Random(name).sample(left, len(left)):
                staging.add(one, io.BytesIO(goods[one.path]))
            staging.seal(Summary(name="", source="", made=MADE))

    names = [
        {path.name for path in (store.root / "vaults" / name / PACKS).iterdir()}
        for name in ("a", "b")
    ]
    assert names[0] == names[1]


def test_after_a_pack_that_cannot_be_written_reading_ends_soon(store, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("syncd.vaults.packing.write_new", full)
    added = 0
    with store.stage("a", "s", job="j") as staging:
        with pytest.raises(StorageFull):
            while added < 1000:
                staging.add(
                    Item(path=f"A/{added}", size=2**20), io.BytesIO(bytes(2**20))
                )
                added += 1
        with pytest.raises(StorageFull):
            seal(staging)

    assert added < 100


def rotten(store) -> None:
    """Turn a bit of the only pack of vault a; its size stays."""
    [pack] = (store.root / "vaults" / "a" / PACKS).iterdir()
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.write_bytes(content)


def test_what_is_shared_unread_is_looked_at_now_and_then(any_store, monkeypatch):
    store = any_store()
    goods = {"A/1": b"one" * 400, "A/2": b"two"}
    keep(store, "a", goods)
    rotten(store)
    monkeypatch.setattr(earlier, "ONE_OF", 1)

    _, read = keep(store, "b", goods)

    assert sorted(read) == sorted(goods)
    assert store.get("b").verify(nothing) == []
    assert keep(store, "c", goods)[1] == []


def test_the_sample_is_bounded(any_store, monkeypatch):
    store = any_store()
    goods = {"A/1": b"one" * 400}
    keep(store, "a", goods)
    rotten(store)
    monkeypatch.setattr(earlier, "ONE_OF", 1)
    monkeypatch.setattr(earlier, "SAMPLE", 1000)

    assert keep(store, "b", goods)[1] == []
