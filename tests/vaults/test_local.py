import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd import clock
from syncd.core.vault import Checked, Pin, Summary
from syncd.errors import (
    BadRequest,
    ConfigError,
    Conflict,
    NotFound,
    StorageError,
    StorageUntrusted,
)
from syncd.vaults.keys import Keys, new_identity
from syncd.vaults.listing import Located
from syncd.vaults.local import LocalStore
from syncd.vaults.reading import PACKS
from tests.vaults.conftest import IDENTITY
from tests.vaults.goods import MADE, OLD, files_of, held, keep, nothing

GOODS = {
    "A": None,
    "A/1": b"one",
    "A/2": b"two",
    "A/big": random.Random(1).randbytes(1_500_000),
}


@contextmanager
def another_process(store: Path, deed: str) -> Iterator["subprocess.Popen[str]"]:
    """Lend a process that has a store and did something with it."""
    code = f"""
import sys
from pathlib import Path
from syncd.vaults.local import LocalStore
store = LocalStore(Path({str(store)!r}))
with {deed}:
    print("there", flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "there\n"
        try:
            yield process
        finally:
            process.kill()


def spoil(folder: Path, item: Located) -> None:
    """Turn a bit of what holds a file."""
    part = f"data/{item.path}" if item.pack is None else f"packs/{item.pack}"
    content = bytearray((folder / part).read_bytes())
    content[min(item.offset + 100, len(content) // 2)] ^= 1
    (folder / part).write_bytes(content)


def packs(store: LocalStore, name: str) -> dict[str, int]:
    folder = store.root / "vaults" / name / PACKS
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


class TestNames:
    def test_vaults_are_listed_oldest_first_failed_ones_too(self, store):
        keep(store, "z", {"A": None}, made=MADE)
        keep(store, "b", {"A": None}, made=MADE + 2, failed="it broke")
        keep(store, "c", {"A": None}, made=MADE + 1)

        assert store.vaults() == ["z", "c", "b"]
        assert store.get("b").summary().failed == "it broke"

    def test_a_name_is_used_once_even_after_the_vault_is_gone(self, store):
        keep(store, "a", {"A": None})
        store.remove("a")

        for _ in range(2):
            with pytest.raises(Conflict):
                keep(store, "a", {"A": None})
            store = LocalStore(store.root)

    def test_names_survive_a_torn_write(self, store):
        (store.root / "names").write_bytes(b"a\nhalf")
        keep(store, "b", {"A": None})

        for name in ("a", "half", "b"):
            with pytest.raises(Conflict):
                keep(store, name, {"A": None})

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "a/b", "/a", "-a", ".a", " a", "a\n", "x" * 201]
    )
    def test_names_that_are_none(self, store, name):
        with pytest.raises(BadRequest):
            keep(store, name, {})
        with pytest.raises(BadRequest):
            store.get(name)

    def test_unknown_vaults(self, store):
        for ask in (
            store.get,
            store.remove,
            store.discard,
            store.checked,
            lambda name: store.pin(name, None),
            lambda name: store.lend(name, "x").__enter__(),
        ):
            with pytest.raises(NotFound):
                ask("nothing")

    def test_two_processes_stage_one_name(self, store):
        with another_process(store.root, "store.stage('a', 's', job='1')"):
            with pytest.raises(Conflict):
                keep(store, "a", {"A": None})
            keep(store, "b", {"A": None})

        assert store.vaults() == ["b"]

    def test_a_staging_that_is_left_is_gone(self, store):
        with store.stage("a", "s", job="j") as staging:
            (staging.folder / "x").write_bytes(b"x")

        assert store.vaults() == []
        assert list((store.root / "staging").iterdir()) == []
        assert list((store.root / "locks").iterdir()) == []


class TestSharing:
    def test_what_has_not_changed_is_neither_read_nor_stored(self, any_store):
        store = any_store()
        first, _ = keep(store, "a", GOODS)
        second, read = keep(store, "b", GOODS)
        third, read_then = keep(any_store(), "c", GOODS)

        assert first.stored > 1_500_000
        assert (read, read_then) == ([], [])
        assert max(second.stored, third.stored) < 100_000
        assert packs(store, "a") == packs(store, "b") == packs(store, "c")
        assert held(store.get("a")) == held(store.get("c")) == GOODS

    def test_only_packs_with_changes_are_stored(self, store):
        keep(store, "a", GOODS)
        more = GOODS | {"B/new": b"new", "A/2": b"six"}
        _, read = keep(store, "b", more, times={"A/2": OLD + 1})

        assert sorted(read) == ["A", "A/1", "A/2", "B/new"]
        assert len(packs(store, "a").keys() & packs(store, "b").keys()) == 1
        assert held(store.get("b")) == more

    def test_a_folders_time_is_known_without_storing_anything(self, store):
        keep(store, "a", GOODS)
        _, read = keep(store, "b", GOODS, times={"A": OLD + 5})

        assert read == []
        assert next(store.get("b").items()).mtime_ns == OLD + 5
        assert store.get("b").verify(nothing) == []

    def test_what_may_have_changed_within_its_time_is_read_and_shared(self, any_store):
        store = any_store()
        now = {path: int(MADE * 1e9) - 10**9 for path in GOODS}
        keep(store, "a", GOODS, times=now)
        _, read = keep(store, "b", GOODS, times=now)

        assert sorted(read) == sorted(GOODS)
        assert packs(store, "a") == packs(store, "b")

    def test_vaults_of_another_source_and_failed_ones_are_not_shared(self, store):
        keep(store, "a", GOODS, source="other")
        keep(store, "b", GOODS, failed="broke")
        _, read = keep(store, "c", GOODS)

        assert sorted(read) == sorted(GOODS)

    def test_after_a_partial_vault_the_whole_one_before_it_is_shared_too(self, store):
        other = {"B": None, "B/1": b"b"}
        keep(store, "a", GOODS | other)
        keep(store, "b", other, partial=True, made=MADE + 1)
        _, read = keep(store, "c", GOODS | other, made=MADE + 2)

        assert read == []

    def test_a_vault_outlives_the_one_it_shares_with(self, any_store):
        store = any_store()
        keep(store, "a", GOODS)
        keep(store, "b", GOODS)
        store.remove("a")

        assert held(store.get("b")) == GOODS
        assert store.get("b").verify(nothing) == []

    def test_a_damaged_listing_keeps_no_backup_from_being_made(self, store):
        keep(store, "a", GOODS)
        (store.root / "vaults/a/contents.jsonl").write_bytes(b"nonsense")
        _, read = keep(store, "b", GOODS)

        assert sorted(read) == sorted(GOODS)
        assert held(store.get("b")) == GOODS

    def test_one_broken_inode_breaks_both_and_verify_heals_the_next(self, any_store):
        store = any_store()
        keep(store, "a", GOODS)
        keep(store, "b", GOODS)
        pack = files_of(store.root / "vaults/a" / PACKS)[0]
        with pack.open("r+b") as file:
            file.seek(600)
            file.write(b"XXXX")

        (fault_a,), (fault_b,) = (store.get(n).verify(nothing) for n in "ab")
        assert fault_a.path == fault_b.path == f"{PACKS}/{pack.name}"
        _, read = keep(store, "c", GOODS)
        assert read
        assert store.get("c").verify(nothing) == []
        assert held(store.get("c")) == GOODS

    def test_a_pack_that_was_cut_short_is_not_shared(self, store):
        keep(store, "a", GOODS)
        for pack in files_of(store.root / "vaults/a" / PACKS):
            os.truncate(pack, 100)
        keep(store, "b", GOODS)

        assert store.get("b").verify(nothing) == []

    def test_where_links_cannot_be_made_it_is_stored_again(self, store, monkeypatch):
        def refuse(*_args: object, **_kwargs: object) -> None:
            raise PermissionError(1, "no links here")

        keep(store, "a", GOODS)
        monkeypatch.setattr(os, "link", refuse)
        _, read = keep(store, "b", GOODS)

        assert sorted(read) == sorted(GOODS)
        assert held(store.get("b")) == GOODS
        assert not set(packs(store, "a").values()) & set(packs(store, "b").values())


class TestKeepingAndRemoving:
    def test_pins(self, store):
        keep(store, "a", {"A": None})
        keep(store, "b", {"A": None})
        now = clock.timestamp()
        store.pin("a", Pin("audit", "me", now))
        store.pin("b", Pin("was", "me", now - 10, now - 5))

        assert LocalStore(store.root).pins().keys() == {"a", "b"}
        with pytest.raises(Conflict, match="audit"):
            store.remove("a")
        store.remove("b")
        store.pin("a", None)
        store.remove("a")
        assert (store.vaults(), store.pins()) == ([], {})
        assert [path.name for path in store.root.glob("*/*")] == []

    @pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
    def test_what_is_lent_is_not_removed_by_another_process(self, store, ending):
        keep(store, "a", GOODS)
        with another_process(store.root, "store.lend('a', 'restore')") as process:
            with pytest.raises(Conflict, match="in use"):
                store.remove("a")
            assert held(store.get("a")) == GOODS
            process.send_signal(ending)
            process.wait()
            store.remove("a")

        assert store.vaults() == []

    def test_several_may_borrow_one_vault(self, store):
        keep(store, "a", GOODS)
        with (
            store.lend("a", "one"),
            LocalStore(store.root).lend("a", "two"),
            pytest.raises(Conflict),
        ):
            store.remove("a")
        store.remove("a")

    def test_a_pin_goes_with_the_vault_that_is_removed_by_force(self, store):
        keep(store, "a", GOODS)
        store.pin("a", Pin("audit", "me", clock.timestamp()))
        with pytest.raises(Conflict), store.lend("a", "restore"):
            store.remove("a", force=True)
        assert store.pins().keys() == {"a"}
        store.remove("a", force=True)

        assert [path.name for path in store.root.glob("*/*")] == []

    def test_what_is_done_before_removing_is_not_begun_in_vain(self, store):
        begun = []
        keep(store, "a", GOODS)
        store.pin("a", Pin("audit", "me", clock.timestamp()))
        with pytest.raises(Conflict, match="audit"), store.removing("a"):
            begun.append("pinned")
        store.pin("a", None)
        with (
            another_process(store.root, "store.lend('a', 'restore')"),
            pytest.raises(Conflict, match="in use"),
            store.removing("a"),
        ):
            begun.append("lent")

        assert begun == []

    def test_a_vault_stays_if_what_must_be_done_before_fails(self, store):
        keep(store, "a", GOODS)
        pin = Pin("audit", "me", clock.timestamp())
        store.pin("a", pin)
        with pytest.raises(ZeroDivisionError), store.removing("a", force=True):
            raise ZeroDivisionError

        assert store.pins() == {"a": pin}
        assert held(store.get("a")) == GOODS
        store.remove("a", force=True)

    def test_what_is_being_removed_cannot_be_pinned(self, store):
        keep(store, "a", GOODS)
        with another_process(store.root, "store.removing('a')"):
            with pytest.raises(Conflict, match="in use"):
                store.pin("a", Pin("audit", "me", clock.timestamp()))
            with pytest.raises(Conflict, match="in use"):
                store.remove("a")
        store.pin("a", Pin("audit", "me", clock.timestamp()))

    def test_what_a_verification_found_is_remembered(self, store):
        keep(store, "a", GOODS)
        before = store.checked("a")
        store.get("a").verify(nothing)
        after = LocalStore(store.root).checked("a")

        assert before is None
        assert isinstance(after, Checked)
        assert after.faults == []

    @pytest.mark.parametrize("by_command", [False, True])
    def test_what_reading_came_upon_is_remembered(self, any_store, by_command):
        store = any_store()
        goods = {"A/1": b"one" * 9000, "A/big": GOODS["A/big"], "B": b"sound"}
        if by_command:
            with store.stage("a", "s", job="j") as staging:
                (staging.folder / "A").mkdir()
                for path, content in goods.items():
                    (staging.folder / path).write_bytes(content)
                staging.seal(Summary(name="", source="", made=MADE))
        else:
            keep(store, "a", goods)
        vault, files = store.get("a"), {one.path: one for one in store.get("a").items()}
        assert list(vault.open([files["B"]]))
        assert vault.damage() == []
        assert store.checked("a") is None
        for path in ("A/1", "A/big"):
            spoil(store.root / "vaults/a", files[path])
            for _, content in vault.open([files["B"]]):
                content.read()
            with pytest.raises(StorageError):
                for _, content in store.get("a").open([files[path]]):
                    content.read()
            reading = store.get("a")
            with pytest.raises(StorageError):
                for _, content in reading.open([files[path]]):
                    content.read()
            (fault,) = reading.damage()
            found = [one.path for one in store.checked("a").faults]
            assert fault.path.endswith(path) and fault.path in found
        assert vault.damage() == []
        assert len(store.checked("a").faults) == 2
        places = {
            fault.path.partition(": ")[0] for fault in store.get("a").verify(nothing)
        }
        assert places == {path.partition(": ")[0] for path in found}

    def test_a_listing_that_reading_found_damaged_is_remembered(self, store):
        keep(store, "a", GOODS)
        (store.root / "vaults/a/contents.jsonl").write_bytes(b"")
        vault = store.get("a")
        with pytest.raises(StorageError):
            list(vault.items())
        (store.root / "vaults/a/MANIFEST.sha256").write_bytes(b"")
        broken = store.get("a")
        with pytest.raises(StorageError):
            broken.summary()

        assert [fault.path for fault in vault.damage()] == ["contents.jsonl"]
        assert [fault.path for fault in broken.damage()] == ["vault.json"]
        assert len(store.checked("a").faults) == 2

    def test_removing_goes_on_where_it_was_interrupted(self, store):
        keep(store, "a", GOODS)
        (store.root / "vaults/a").rename(store.root / "removing/a")
        store.quarantine()

        assert list((store.root / "removing").iterdir()) == []


class TestQuarantine:
    def test_what_a_dead_maker_left_is_moved_aside(self, store):
        with another_process(store.root, "store.stage('a', 's', job='1')") as maker:
            assert store.quarantine() == []
            maker.kill()
            maker.wait()
            assert store.quarantine() == ["a"]

        assert (store.vaults(), store.quarantined()) == ([], ["a"])
        with pytest.raises(Conflict):
            keep(store, "a", {"A": None})
        assert list((store.root / "locks").iterdir()) == []
        store.discard("a")
        assert store.quarantined() == []

    def test_an_encrypted_store_leaves_nothing_readable_there(self, tmp_path):
        store = LocalStore(tmp_path / "s", keys=Keys(IDENTITY))
        left = store.root / "staging" / "a"
        (left / "data").mkdir(parents=True)
        (left / "data/dump").write_bytes(b"SECRET")
        (left / "log").write_bytes(b"SECRET")

        assert store.quarantine() == ["a"]
        texts = [path.read_bytes() for path in files_of(store.root / "quarantine/a")]
        assert len(texts) == 1
        assert b"SECRET" not in texts[0]


class TestOpening:
    def test_a_store_is_for_its_owner_only(self, tmp_path):
        store = LocalStore(tmp_path / "deep" / "store")

        assert store.root.stat().st_mode & 0o777 == 0o700

    def test_a_missing_store_is_only_made_when_asked(self, tmp_path):
        with pytest.raises(NotFound):
            LocalStore(tmp_path / "none", make=False)
        assert not (tmp_path / "none").exists()

    def test_a_folder_of_something_else_is_refused(self, tmp_path):
        (tmp_path / "precious").touch()
        with pytest.raises(StorageError, match="precious"):
            LocalStore(tmp_path)

        assert [path.name for path in tmp_path.iterdir()] == ["precious"]

    def test_a_newer_format_is_refused(self, store):
        (store.root / "store.json").write_text(
            '{"format": 2, "id": "x", "encrypted": false}'
        )
        with pytest.raises(StorageError, match="format 2"):
            LocalStore(store.root)

    @pytest.mark.parametrize("keys", [None, Keys(new_identity()[0])])
    def test_another_key_is_refused_before_anything_is_touched(self, tmp_path, keys):
        right = LocalStore(tmp_path / "s", keys=Keys(IDENTITY))
        keep(right, "a", GOODS)
        before = {
            p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in tmp_path.rglob("*")
        }

        with pytest.raises(ConfigError) as refused:
            LocalStore(tmp_path / "s", keys=keys)

        assert IDENTITY not in str(refused.value)
        assert before == {
            p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in tmp_path.rglob("*")
        }

    def test_a_plain_store_is_not_opened_with_a_key(self, store):
        with pytest.raises(ConfigError, match="not encrypted"):
            LocalStore(store.root, keys=Keys(IDENTITY))

    def test_turning_compression_on_keeps_old_vaults_and_shares_them(self, tmp_path):
        keep(LocalStore(tmp_path / "s"), "a", GOODS)
        store = LocalStore(tmp_path / "s", compress=True)
        _, read = keep(store, "b", GOODS | {"B/new": b"new"})

        assert read == ["B/new"]
        assert held(store.get("b")) == GOODS | {"B/new": b"new"}

    def test_a_vault_that_cannot_be_read_is_listed(self, store):
        keep(store, "a", GOODS)
        (store.root / "vaults/a/vault.json").write_bytes(b"{")

        assert LocalStore(store.root).vaults() == ["a"]
        with pytest.raises(StorageError):
            store.get("a").summary()


def test_the_summary_tells_figures_and_whose_it_is(store):
    summary, _ = keep(store, "a", GOODS, source="mine")

    assert (summary.name, summary.source) == ("a", "mine")
    assert (summary.files, summary.bytes) == (3, 1_500_006)
    assert isinstance(store.get("a").summary(), Summary)


@pytest.mark.parametrize("found", ["nothing", "an empty folder", "another store"])
def test_only_the_store_that_is_known_will_do(tmp_path: Path, found: str):
    known = LocalStore(tmp_path / "known")
    place = tmp_path / "place"
    if found == "an empty folder":
        place.mkdir()
    elif found == "another store":
        LocalStore(place)
    before = sorted(path.name for path in tmp_path.rglob("*"))

    with pytest.raises(StorageUntrusted, match=r"not the vault store.*mount its disk"):
        LocalStore(place, id=known.id)

    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert LocalStore(known.root, id=known.id).id == known.id
