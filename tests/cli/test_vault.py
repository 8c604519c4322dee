"""syncd vault, on real stores."""

import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from syncd.vaults.keys import Keys
from syncd.vaults.local import LocalStore
from tests.cli.conftest import Ended, command
from tests.vaults.conftest import IDENTITY
from tests.vaults.goods import MADE, files_of, held, keep

GOODS = {"A": None, "A/1": b"one", "A/link": "1", "B/2": b"two" * 1000}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    """A store of two vaults and a failed one, which commands find by themselves."""
    monkeypatch.setenv("SYNCD_VAULTS", str(tmp_path / "store"))
    store = LocalStore(tmp_path / "store")
    keep(store, "a", GOODS)
    keep(store, "b", GOODS | {"A/1": b"another", "C": b"new"}, made=MADE + 1)
    keep(store, "c", {}, made=MADE + 2, failed="exit code 3")
    return store


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStore]:
    """An encrypted store with a vault, which only syncd.yaml names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text(IDENTITY)
    store = LocalStore(tmp_path / "mine", keys=Keys(IDENTITY))
    keep(store, "a", GOODS)
    with TemporaryDirectory() as state:  # Its path must be short, for sockets.
        (tmp_path / "syncd.yaml").write_text(
            f"state: {state}/var\n"
            "entries: {A: {driver: memory}}\n"
            "backup: {store: {path: mine, encrypt: {identity: !file key}}}\n"
        )
        yield store


def test_folder_and_key_are_those_of_the_configuration(configured):
    said = vault("list", "--config", "syncd.yaml", "--json")
    assert [one["name"] for one in json.loads(said.out)["vaults"]] == ["a"]
    assert vault("verify", "a", "--config", "syncd.yaml").code == 0


def test_vaults_that_are_in_no_folder_are_not_looked_for_in_one(configured, tmp_path):
    config = tmp_path / "syncd.yaml"
    config.write_text(config.read_text().replace("path: mine", "kind: 'm:C'"))

    ended = vault("list", "--config", "syncd.yaml")

    assert ended.code == 78
    assert "m:C" in ended.err


def vault(*words: str) -> Ended:
    return command("vault", *words)


def spoil(store: LocalStore, name: str) -> None:
    for pack in files_of(store.root / "vaults" / name / "packs"):
        pack.write_bytes(b"spoilt")


class TestList:
    def test_all_are_told_oldest_first(self, store):
        (store.root / "staging/left").mkdir()
        store.quarantine()
        store.pin("a", None)
        vault("pin", "a", "--reason", "audit")
        ended = vault("list")

        lines = ended.out.splitlines()
        assert ended.code == 0
        assert [line.split()[0] for line in lines[2:5]] == ["a", "b", "c"]
        assert "yes" in lines[2] and "audit" in lines[2] and "default" in lines[2]
        assert "failed" in lines[4]
        assert "in quarantine: left" in lines[-1]

    def test_for_programs(self, store):
        told = json.loads(vault("list", "--json").out)

        assert [one["name"] for one in told["vaults"]] == ["a", "b", "c"]
        assert told["vaults"][0]["files"] == 2
        assert told["vaults"][2]["valid"] == "failed"
        assert told["quarantined"] == []

    def test_a_damaged_one_is_told(self, store):
        spoil(store, "a")
        (store.root / "vaults/b/vault.json").write_text("{")
        vault("verify", "a")
        told = json.loads(vault("list", "--json").out)

        valid = {one["name"]: one["valid"] for one in told["vaults"]}
        assert valid == {"a": "damaged", "b": "damaged", "c": "failed"}

    def test_an_empty_store(self, tmp_path):
        LocalStore(tmp_path / "empty")

        assert vault("list", "--store", str(tmp_path / "empty")).out == "no vaults\n"

    def test_no_store(self, tmp_path):
        ended = vault("list", "--store", str(tmp_path / "none"))

        assert ended.code == 66
        assert "no store of vaults" in ended.err
        assert not (tmp_path / "none").exists()

    def test_the_store_of_a_configuration(self, monkeypatch):
        with TemporaryDirectory() as folder:  # The path of a socket must not be long.
            self._list_in(Path(folder), monkeypatch)

    def _list_in(self, folder, monkeypatch):
        monkeypatch.chdir(folder)
        Path("syncd.yaml").write_text(
            "state: var\nentries: {A: {driver: local_storage, options: {root: a}},"
            " B: {driver: local_storage, options: {root: b}}}\n"
        )
        keep(LocalStore(folder / "var" / "backups"), "mine", GOODS)

        assert "mine" in vault("list", "--config", "syncd.yaml").out


class TestShow:
    def test_summary_and_a_page_of_items(self, store):
        ended = vault("show", "b", "--limit", "2", "--offset", "1")

        assert ended.code == 0
        assert "A/1" in ended.out and "A/link -> 1" in ended.out
        assert "B/2" not in ended.out
        assert "2 of 5 items" in ended.out
        assert "verified:  never" in ended.out

    def test_what_lies_below(self, store):
        told = json.loads(vault("show", "a", "--path", "A", "--json").out)

        assert [one["path"] for one in told["items"]] == ["A", "A/1", "A/link"]
        assert told["items"][1]["mode"] == "640"
        assert told["total"] == 3
        assert told["summary"]["files"] == 2

    def test_why_it_failed_and_the_log(self, store):
        assert "failed:    exit code 3" in vault("show", "c").out
        assert vault("show", "c", "--log").out == "log of c\n"

    def test_what_a_verification_found(self, store):
        spoil(store, "a")
        vault("verify", "a")

        assert "its digest differs" in vault("show", "a").out

    def test_what_has_no_time_is_shown_without_one(self, store):
        keep(store, "untimed", {"old": None, "timed": None}, times={"old": 0})
        shown = vault("show", "untimed").out

        assert "1970" not in shown and "1969" not in shown
        assert "2023-11-1" in shown

    def test_odd_names_do_not_act_up(self, store):
        keep(store, "odd", {"x\x1b[31m\udcff": b""})
        ended = vault("show", "odd")

        assert "\x1b" not in ended.out
        assert r"x\x1b[31m\xff" in ended.out

    def test_an_unknown_one(self, store):
        assert vault("show", "nothing").code == 66
        assert vault("show", "../a").code == 64


class TestDiff:
    def test_what_differs(self, store):
        ended = vault("diff", "a", "b")

        assert ended.code == 1
        assert ended.out.splitlines() == [
            "+ C",
            "~ A/1",
            "1 added, 0 removed, 1 changed",
        ]

    def test_for_programs_and_below(self, store):
        ended = vault("diff", "b", "a", "--json")

        assert json.loads(ended.out) == {
            "added": [],
            "removed": ["C"],
            "changed": ["A/1"],
        }
        assert vault("diff", "a", "b", "--path", "B").code == 0


class TestVerify:
    def test_what_is_sound(self, store):
        ended = vault("verify", "--all")

        assert ended.code == 0
        assert ended.out.splitlines() == ["a: sound", "b: sound", "c: sound"]

    def test_what_is_not(self, store):
        spoil(store, "a")
        ended = vault("verify", "a", "--json")

        assert ended.code == 65
        assert json.loads(ended.out)["a"][0]["path"].startswith("packs/")
        assert store.checked("a").faults

    def test_which_must_be_said(self, store):
        assert vault("verify").code == 64
        assert vault("verify", "a", "--all").code == 64


class TestExport:
    def test_to_a_zip(self, store, tmp_path):
        ended = vault("export", "a", str(tmp_path / "out.zip"))

        assert (ended.code, ended.err) == (0, "")
        with zipfile.ZipFile(tmp_path / "out.zip") as archive:
            assert archive.read("B/2") == GOODS["B/2"]

    def test_to_a_tar(self, store, tmp_path):
        assert vault("export", "a", str(tmp_path / "out.tar")).code == 0
        with tarfile.open(tmp_path / "out.tar") as archive:
            content = archive.extractfile("B/2")
            assert content and content.read() == GOODS["B/2"]
            assert archive.getnames() == list(GOODS)

    def test_a_part_to_a_folder(self, store, tmp_path):
        (tmp_path / "out").mkdir()
        assert vault("export", "a", str(tmp_path / "out"), "--path", "A").code == 0

        assert sorted(p.name for p in (tmp_path / "out").rglob("*")) == [
            "1",
            "A",
            "link",
        ]

    @pytest.mark.parametrize("name", ["x.zip", "x.tar", "x"])
    def test_what_is_there_is_not_replaced_unasked(self, store, tmp_path, name):
        (tmp_path / name).write_text("precious")
        ended = vault("export", "a", str(tmp_path / name))

        assert ended.code == 64
        assert "--force" in ended.err
        assert (tmp_path / name).read_text() == "precious"

    def test_a_file_is_replaced_when_asked_and_a_folder_never(self, store, tmp_path):
        (tmp_path / "x.zip").write_text("old")
        assert vault("export", "a", str(tmp_path / "x.zip"), "--force").code == 0
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "precious").touch()
        ended = vault("export", "a", str(tmp_path / "home"), "--force")

        assert zipfile.is_zipfile(tmp_path / "x.zip")
        assert ended.code == 64
        assert [path.name for path in (tmp_path / "home").iterdir()] == ["precious"]

    @pytest.mark.parametrize("name", ["x.zip", "x.tar", "x"])
    def test_of_a_damaged_vault_nothing_is_left_half(self, store, tmp_path, name):
        spoil(store, "a")
        before = sorted(path.name for path in tmp_path.iterdir())

        assert vault("export", "a", str(tmp_path / name)).code == 74
        assert sorted(path.name for path in tmp_path.iterdir()) == before

    def test_a_part_that_is_not_there(self, store, tmp_path):
        assert vault("export", "a", str(tmp_path / "x"), "--path", "Z").code == 66


class TestPins:
    def test_pinning_for_a_time(self, store):
        assert vault("pin", "a", "--reason", "audit", "--until", "90d").code == 0
        pin = store.pins()["a"]

        assert pin.reason == "audit"
        assert pin.until is not None
        assert pin.until - pin.since == pytest.approx(90 * 86400, abs=60)
        assert json.loads(vault("unpin", "a", "--json").out) == {
            "vault": "a",
            "pin": None,
        }
        assert store.pins() == {}

    @pytest.mark.parametrize("until", ["2001-01-01", "soon", "-1d"])
    def test_moments_that_are_none_or_over(self, store, until):
        assert vault("pin", "a", "--reason", "x", "--until", until).code == 64


class TestKeys:
    def test_a_key_that_was_made_opens_a_store(self, tmp_path):
        ended = vault("key", str(tmp_path / "key"))
        text = (tmp_path / "key").read_text()
        keep(LocalStore(tmp_path / "s", keys=Keys(text)), "secret", GOODS)

        assert ended.out.startswith("age1")
        assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
        where = ["--store", str(tmp_path / "s"), "--identity", str(tmp_path / "key")]
        assert "secret" in vault("list", *where).out
        assert vault("key", str(tmp_path / "key")).code == 64
        assert (tmp_path / "key").read_text() == text

    def test_without_it_nothing_is_told(self, tmp_path):
        keep(LocalStore(tmp_path / "s", keys=Keys(IDENTITY)), "a", GOODS)
        vault("key", str(tmp_path / "other"))

        for more in ([], ["--identity", str(tmp_path / "other")]):
            ended = vault("list", "--store", str(tmp_path / "s"), *more)
            assert ended.code == 78
            assert "AGE-SECRET" not in ended.err


def test_exported_folders_hold_what_the_vault_holds(store, tmp_path):
    vault("export", "b", str(tmp_path / "out"))

    assert (tmp_path / "out/B/2").read_bytes() == held(store.get("b"))["B/2"]


def test_what_was_done_is_told_to_programs(store, tmp_path):
    exported = vault("export", "a", str(tmp_path / "x.tar"), "--json")
    pinned = vault("pin", "a", "--reason", "audit", "--json")
    key = vault("key", str(tmp_path / "key"), "--json")

    assert json.loads(exported.out) == {
        "vault": "a",
        "items": 4,
        "bytes": 3003,
        "destination": str(tmp_path / "x.tar"),
    }
    assert json.loads(pinned.out)["pin"]["reason"] == "audit"
    assert json.loads(key.out)["recipient"] in (tmp_path / "key").read_text()
