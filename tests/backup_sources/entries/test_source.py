"""Entries into real vaults and back."""

import os

import pytest

from syncd.backup_sources.contract import Around
from syncd.backup_sources.entries.options import EntriesOptions
from syncd.backup_sources.entries.source import Entries
from syncd.core.backup import Restoring, Wanted
from syncd.core.vault import Summary
from syncd.errors import ConfigError
from syncd.vaults.local import LocalStore
from tests.acceptance.trees import tree
from tests.backup_sources.fakes import Listener
from tests.backup_sources.hands import fill


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "store", compress=True)


async def vault(home, store: LocalStore, name: str) -> Summary:
    """Make a vault as a worker does."""
    with store.stage(name, "default", job="test") as staging:
        report = await home.source().back_up(Wanted(), staging, Listener())
        assert (report.failed, report.torn) == ({}, [])
        return staging.seal(
            Summary(name=name, source="default", made=0.0, listed=report.databases)
        )


async def test_all_comes_back_from_a_real_vault(home, store):
    root = home.local("A é")
    fill(root, "words")
    for number in range(600):
        (root / f"{number}").write_text(f"{number}" * 100)
    before = tree(root, metadata=True)
    await vault(home, store, "20261121T080000")
    for path in root.glob("[0-9]*"):
        path.unlink()
    fill(root, "other words")
    (root / "new").touch()
    report = await home.restore(store.get("20261121T080000"), delete=True)

    assert report.failed == {}
    assert tree(root, metadata=True) == before


async def test_what_is_stored_is_not_stored_again(home, store):
    root = home.local("A")
    for number in range(600):
        (root / f"{number}").write_bytes(os.urandom(1000))
        os.utime(root / f"{number}", (10**9, 10**9))
    first = await vault(home, store, "20261121T080000")
    (root / "7").write_bytes(os.urandom(1000))
    second = await vault(home, store, "20261121T080001")

    assert first.stored > 600_000
    assert second.stored < first.stored / 2
    assert (second.files, second.bytes) == (first.files, first.bytes)
    (root / "7").unlink()
    await home.restore(store.get("20261121T080001"))
    assert len(list(root.glob("[0-9]*"))) == 600


async def test_a_job_may_be_of_some_entries(home, store):
    for name in ("A", "B"):
        (home.local(name) / "file").write_text(name)
    await vault(home, store, "20261121T080000")
    wanted = Restoring(databases=["B"], names={"B": "A"})
    made = store.get("20261121T080000")
    report = await home.source().restore(wanted, made, Listener())

    assert report.databases == ["B"]
    assert report.changed["replaced"] == 1


def test_entries_that_are_not_there_are_refused(home, tmp_path):
    home.local("A")
    options = EntriesOptions(entries=["A", "C"]).model_dump()
    with pytest.raises(ConfigError, match="no entry 'C'; known: A"):
        Entries.create(options, Around(scratch=tmp_path, entries=home.entries))


async def test_no_entries_are_nothing_to_back_up(home):
    assert not (await home.source().health()).reachable
