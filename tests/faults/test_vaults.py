"""Vaults on bad days: killed at every step, full and read-only disks."""

import io
import os
import subprocess
import sys

import pytest

from syncd.core.vault import Summary
from syncd.errors import Conflict, StorageError, StorageFull, StorageReadOnly
from syncd.vaults.keys import Keys
from syncd.vaults.local import LocalStore
from tests.faults import killing
from tests.faults.disks import frozen, small_disk
from tests.vaults.conftest import IDENTITY
from tests.vaults.goods import MADE, files_of, held, item, keep, nothing, written


@pytest.fixture(params=["plain", "encrypted"])
def copies(request, tmp_path):
    """Return what does a deed on copies of a store, killed ever later."""
    kind = request.param

    def kill(deed):
        store = killing.opened(tmp_path / "store", kind)
        keep(store, "a", killing.BEFORE)
        if deed == "clean":
            left = store.root / "staging" / "left"
            (left / "data").mkdir(parents=True)
            (left / "data/dump").write_bytes(b"SECRET")
            (left / "log").write_bytes(b"SECRET")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.faults.killing"),
                *(str(store.root), str(tmp_path / "copies"), deed, kind),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        assert not done.returncode, done.stderr
        number = int(done.stdout)
        for step in range(number):
            yield killing.opened(tmp_path / "copies" / str(step), kind)

    return kill


def test_a_backup_that_is_killed_is_whole_or_none(copies):
    outcomes = set()
    for store in copies("stage"):
        store.quarantine()
        left = store.quarantined()
        names = store.vaults()
        outcomes.add((tuple(names), tuple(left)))
        assert list((store.root / "staging").iterdir()) == []
        assert held(store.get("a")) == killing.BEFORE
        for name in names:
            assert store.get(name).verify(nothing) == []
        if "b" in names:
            assert held(store.get("b")) == killing.AFTER | {"dump": killing.DUMP}
        else:
            killing.stage(store, "c")
            assert held(store.get("c")) == killing.AFTER | {"dump": killing.DUMP}
        if left:
            with pytest.raises(Conflict):
                keep(store, "b", {})
            store.discard("b")

    assert outcomes == {(("a",), ()), (("a",), ("b",)), (("a", "b"), ())}


def test_a_vault_whose_removal_is_killed_is_whole_or_gone(copies):
    outcomes = set()
    for store in copies("remove"):
        names = store.vaults()
        outcomes.add(tuple(names))
        if names:
            assert held(store.get("a")) == killing.BEFORE
            store.remove("a")
        store.quarantine()
        assert store.vaults() == []
        assert files_of(store.root / "removing") == []
        with pytest.raises(Conflict):
            keep(store, "a", {})

    assert outcomes == {(), ("a",)}


def test_cleaning_that_is_killed_can_be_done_again(copies):
    for store in copies("clean"):
        store.quarantine()
        if store.quarantined():
            store.discard("left")
        assert store.quarantined() == []
        assert files_of(store.root / "staging") == []
        assert held(store.get("a")) == killing.BEFORE


GOODS = killing.AFTER


class TestFullDisk:
    @pytest.fixture
    def disk(self, tmp_path):
        with small_disk(tmp_path / "disk", 24 << 20) as disk:
            yield disk

    @pytest.mark.parametrize("compress", [False, True])
    @pytest.mark.parametrize("keys", [None, Keys(IDENTITY)])
    def test_a_backup_that_finds_no_room_leaves_nothing(self, disk, compress, keys):
        store = LocalStore(disk.folder / "store", compress=compress, keys=keys)
        keep(store, "0", killing.BEFORE)
        outcomes = []
        for step, room in enumerate(range(0, 6_000_000, 200_000), 1):
            disk.fill(but=room)
            try:
                keep(store, f"{step}", GOODS, source=f"{step}")
                outcomes.append("whole")
                assert held(store.get(f"{step}")) == GOODS
                store.remove(f"{step}")
            except StorageFull:
                outcomes.append("full")
                assert store.vaults() == ["0"]
                assert list((store.root / "staging").iterdir()) == []
            disk.free()

        assert outcomes[0] == "full"
        assert outcomes[-1] == "whole"
        assert store.get("0").verify(nothing) == []

    def test_a_command_that_fills_the_disk_makes_a_failed_vault(self, disk):
        store = LocalStore(disk.folder / "store")
        with store.stage("a", "s", job="j") as staging:
            staging.log.write_text("it said: no space left\n")
            with (
                pytest.raises(OSError, match="No space left"),
                (staging.folder / "dump").open("wb", buffering=0) as file,
            ):
                while True:
                    file.write(bytes(1 << 20))
            os.truncate(staging.folder / "dump", (24 << 20) - (1 << 18))
            disk.fill()
            summary = staging.seal(
                Summary(name="", source="", made=MADE, failed="full")
            )

        assert summary.files == 0
        assert store.get("a").summary().failed == "full"
        assert store.get("a").log() == b"it said: no space left\n"

    def test_after_no_room_only_a_failed_vault_can_be_made(self, disk):
        store = LocalStore(disk.folder / "store")
        with store.stage("a", "s", job="j") as staging:
            with pytest.raises(StorageFull):
                for n in range(30):
                    what = os.urandom(2_000_000)
                    staging.add(item(f"A/{n}", what), io.BytesIO(what))
            with pytest.raises(StorageError):
                staging.seal(Summary(name="", source="", made=MADE, failed=None))
            staging.seal(Summary(name="", source="", made=MADE, failed="no room"))

        assert store.get("a").summary().failed == "no room"
        assert store.get("a").verify(nothing) == []

    def test_a_vault_that_goes_is_lent_where_there_is_no_room(self, disk):
        contents = {"db/1": b"x" * 50, "db/2": b"y" * 2_000_000}
        store, scratch = LocalStore(disk.folder / "store"), disk.folder / "scratch"
        written(store, "ab", contents)
        disk.fill(but=1 << 19)
        with pytest.raises(StorageFull), store.get("a").folder(scratch):
            raise AssertionError
        with store.get("a").folder(scratch, link=True) as folder:
            assert (folder / "db/2").read_bytes() == contents["db/2"]
            (folder / "db/2").unlink()

        assert list(scratch.iterdir()) == []
        assert store.get("a").verify(nothing) == []


def test_a_read_only_store_can_be_read_and_verified(tmp_path):
    keep(LocalStore(tmp_path / "store"), "a", GOODS)
    with frozen(tmp_path / "store"):
        store = LocalStore(tmp_path / "store")
        with store.lend("a", "restore"):
            assert held(store.get("a")) == GOODS
        assert store.get("a").verify(nothing) == []
        for deed in (
            lambda: keep(store, "b", GOODS),
            lambda: store.remove("a"),
            lambda: store.pin("a", None),
        ):
            with pytest.raises(StorageReadOnly):
                deed()
        assert store.vaults() == ["a"]


def test_a_store_that_cannot_be_made(tmp_path):
    (tmp_path / "folder").mkdir()
    with frozen(tmp_path / "folder"), pytest.raises(StorageReadOnly):
        LocalStore(tmp_path / "folder" / "store")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        LocalStore(tmp_path / "file" / "store")
