import io
import os

import pytest

from syncd.core.vault import Summary
from syncd.errors import StorageError
from syncd.vaults.reading import DATA, PACKS
from tests.vaults.goods import MADE, files_of, held, item, keep, nothing


def dump(store, name, contents, *, failed=None):
    """Make a vault as a command does."""
    with store.stage(name, "dumps", job="j") as staging:
        for path, content in contents.items():
            (staging.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (staging.folder / path).write_bytes(content)
        return staging.seal(Summary(name="", source="", made=MADE, failed=failed))


def test_a_command_may_write_what_an_item_added_too(any_store):
    store = any_store()
    with store.stage("a", "s", job="j") as staging:
        (staging.folder / "dump").write_bytes(b"dump")
        staging.add(item("B/1", b"one"), io.BytesIO(b"one"))
        staging.seal(Summary(name="", source="", made=MADE))

    assert held(store.get("a")) == {"dump": b"dump", "B/1": b"one"}
    assert store.get("a").verify(nothing) == []


def test_but_not_the_same_path(store):
    with store.stage("a", "s", job="j") as staging:
        (staging.folder / "x").write_bytes(b"1")
        staging.add(item("x", b"2"), io.BytesIO(b"2"))
        with pytest.raises(StorageError, match="x was added"):
            staging.seal(Summary(name="", source="", made=MADE))

    assert store.vaults() == []


def test_dumps_that_are_the_same_again_are_shared_whatever_their_time(any_store):
    store = any_store()
    contents = {"db/1": os.urandom(5000), "db/2": os.urandom(2_000_000)}
    first = dump(store, "a", contents)
    second = dump(store, "b", contents | {"db/3": b"new"})

    assert first.stored > 2_000_000
    assert second.stored < 100_000
    assert held(store.get("b")) == held(store.get("a")) | {"db/3": b"new", "db": None}
    for name in "ab":
        assert store.get(name).verify(nothing) == []
    store.remove("a")
    assert store.get("b").verify(nothing) == []


def test_a_shared_file_keeps_its_mode(store):
    dump(store, "a", {"f": b"content"})
    with store.stage("b", "dumps", job="j") as staging:
        (staging.folder / "f").write_bytes(b"content")
        (staging.folder / "f").chmod(0o600)
        staging.seal(Summary(name="", source="", made=MADE))

    (one,) = store.get("b").items()
    assert one.mode == 0o600
    assert (store.root / "vaults/b" / DATA / "f").stat().st_mode & 0o777 == 0o600


def test_what_is_no_file_cannot_be_kept(any_store):
    store = any_store()
    with store.stage("a", "s", job="j") as staging:
        os.mkfifo(staging.folder / "pipe")
        with pytest.raises(StorageError, match="pipe"):
            staging.seal(Summary(name="", source="", made=MADE))

    assert store.vaults() == []


def test_a_failed_vault_is_kept_with_its_log_whatever_is_wrong(any_store):
    store = any_store()
    with store.stage("a", "s", job="j") as staging:
        staging.log.write_text("why it failed\n")
        os.mkfifo(staging.folder / "pipe")
        summary = staging.seal(Summary(name="", source="", made=MADE, failed="broke"))

    assert summary.files == 0
    assert store.get("a").summary().failed == "broke"
    assert store.get("a").log() == b"why it failed\n"
    assert store.get("a").verify(nothing) == []


def test_a_failed_vault_keeps_what_it_has(any_store):
    store = any_store()
    dump(store, "a", {"f": b"x"}, failed="exit code 3")

    assert held(store.get("a")) == {"f": b"x"}


def test_an_empty_vault(any_store, tmp_path):
    store = any_store()
    dump(store, "a", {})

    assert held(store.get("a")) == {}
    assert store.get("a").verify(nothing) == []
    with store.get("a").folder(tmp_path) as folder:
        assert list(folder.iterdir()) == []


def test_it_is_sealed_once(store):
    with store.stage("a", "s", job="j") as staging:
        staging.seal(Summary(name="", source="", made=MADE))
        with pytest.raises(StorageError, match="sealed already"):
            staging.seal(Summary(name="", source="", made=MADE))


def test_a_time_that_is_not_the_files_is_told_by_the_listing(store):
    dump(store, "a", {"f": b"content"})
    dump(store, "b", {"f": b"content"})
    (one,), (other,) = store.get("a").items(), store.get("b").items()

    assert one.mtime_ns == other.mtime_ns
    status = (store.root / "vaults/b" / DATA / "f").stat()
    assert status.st_mtime_ns == other.mtime_ns


def test_everything_is_flushed_before_it_gets_its_name(store, monkeypatch):
    seen = []

    def look(_descriptor: int) -> None:
        place = store.root / "staging" / "a"
        seen.append(sorted(path.name for path in place.iterdir()))

    monkeypatch.setattr("syncd.vaults.staging.flush", look)
    dump(store, "a", {"f": b"x"})

    assert seen == [["MANIFEST.sha256", "contents.jsonl", "data", "log", "vault.json"]]


def test_what_cannot_be_flushed_is_no_vault(store, monkeypatch):
    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("syncd.vaults.staging.flush", fail)
    with pytest.raises(StorageError):
        dump(store, "a", {"f": b"x"})

    assert store.vaults() == []


def test_a_name_that_cannot_be_made_durable_is_taken_back(store, monkeypatch):
    def fail(_folder: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("syncd.vaults.local.flush_folder", fail)
    with pytest.raises(StorageError):
        dump(store, "a", {"f": b"x"})

    assert store.vaults() == []


def spoilt_copies(folder):
    """Spoil every content of a vault in another way: size, bytes, mode, kind."""
    for n, file in enumerate(files_of(folder / DATA)):
        content = file.read_bytes()
        if n % 4 == 0:
            os.truncate(file, 0)
        elif n % 4 == 1:
            file.write_bytes(bytes(len(content)))
        elif n % 4 == 2:
            file.unlink()
        else:
            file.unlink()
            file.symlink_to("/etc/hostname")
    for pack in files_of(folder / PACKS):
        spoilt = bytearray(pack.read_bytes())
        spoilt[len(spoilt) // 3] ^= 1
        pack.write_bytes(spoilt)


def test_what_was_damaged_before_is_not_taken_for_what_was_just_read(any_store):
    store = any_store()
    contents = {f"db/{n}": os.urandom(5000) for n in range(4)}
    contents["db/large"] = os.urandom(2_000_000)
    dump(store, "a", contents)
    spoilt_copies(store.root / "vaults" / "a")
    dump(store, "b", contents)

    assert store.get("a").verify(nothing) != []
    assert store.get("b").verify(nothing) == []
    assert held(store.get("b")) == contents | {"db": None}


def test_nor_in_packs(any_store):
    store = any_store()
    # Of a time that proves nothing, so that all is read again.
    goods = {"A/s": b"small" * 1000, "A/large": os.urandom(2_000_000)}
    times = dict.fromkeys(goods, int(MADE * 1e9))
    keep(store, "a", goods, times=times)
    spoilt_copies(store.root / "vaults" / "a")
    keep(store, "b", goods, times=times)

    assert len(store.get("a").verify(nothing)) >= 2
    assert store.get("b").verify(nothing) == []
    assert held(store.get("b")) == goods


def test_a_file_whose_mode_was_changed_is_not_shared(store):
    dump(store, "a", {"f": b"content"})
    (store.root / "vaults/a" / DATA / "f").chmod(0o444)
    dump(store, "b", {"f": b"content"})

    (one,) = store.get("b").items()
    assert (store.root / "vaults/b" / DATA / "f").stat().st_mode & 0o777 == one.mode
