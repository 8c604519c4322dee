"""Syncd's own records as documents; the rules come back, the rest is left alone."""

import json
from pathlib import Path

import pytest

from syncd import clock
from syncd.backup_sources.contract import Around
from syncd.backup_sources.couchdb import shown
from syncd.backup_sources.records.options import RecordsOptions
from syncd.backup_sources.records.source import Records
from syncd.core.backup import Restoring, Wanted
from syncd.core.permission import Role
from syncd.errors import BadRequest, NotFound, StorageError
from syncd.store import entries, sessions, users
from syncd.store.database import Store
from tests.backup_sources.fakes import FolderVault, Listener

RULES = "rules:\n- match: {path: /}\n  sync: [A]\n"


class Bench:
    def __init__(self, home: Path, stage) -> None:
        self.rules = home / "rules.yaml"
        self.rules.write_text(RULES)
        self.index = home / "index.db"
        self.stage = stage

    def source(self) -> Records:
        said = RecordsOptions(index=str(self.index), rules=str(self.rules))
        return Records.create(said.model_dump(), Around(scratch=Path("/nowhere")))

    async def back_up(self) -> FolderVault:
        into = self.stage()
        report = await self.source().back_up(Wanted(), into, Listener())
        assert report.failed == {}
        vault: FolderVault = into.sealed(listed=report.databases)
        return vault

    async def restore(self, vault, **wanted):
        return await self.source().restore(Restoring(**wanted), vault, Listener())


@pytest.fixture
async def bench(tmp_path, stage) -> Bench:
    bench = Bench(tmp_path, stage)
    async with Store(bench.index) as store:
        await store.run(entries.configure, ["A", "B"], ["m", "n"])
        await store.run(users.add, "a@x.org", Role.ADMIN, "the hash", 1.0)
        user = await store.read(users.get, "a@x.org")
        await store.run(sessions.begin, user, clock.timestamp())
    return bench


async def test_they_are_documents_without_what_is_secret(bench):
    vault = await bench.back_up()
    text = b"".join(shown.databases({"heads": {}}, vault))
    found = json.loads(text)
    docs = {name.removeprefix("athena_"): one["docs"] for name, one in found.items()}

    assert {doc["name"] for doc in docs["components"]} == {"A", "B"}
    assert [doc["email"] for doc in docs["sessions"]] == ["a@x.org"]
    assert {doc["_id"]: doc for doc in docs["system"]}["rules"] == {
        "_id": "rules",
        "type": "rules",
        "text": RULES,
    }
    assert [doc.get("email") for doc in docs["system"]] == ["a@x.org", None]
    assert b"the hash" not in text
    assert await bench.source().listed(vault) == sorted(found)


async def test_the_rules_come_back_and_those_before_stay_beside(bench):
    vault = await bench.back_up()
    bench.rules.write_text("rules: []\n")
    bench.rules.chmod(0o600)
    foreseen = await bench.restore(vault, dry_run=True)
    assert bench.rules.read_text() == "rules: []\n"
    done = await bench.restore(vault, variables={"skip": {}, "undo": True})
    again = await bench.restore(vault)

    assert bench.rules.read_text() == RULES
    assert bench.rules.stat().st_mode & 0o777 == 0o600
    assert bench.rules.with_name("rules.yaml.bak").read_text() == "rules: []\n"
    assert foreseen.changed == done.changed
    assert (done.changed["replaced"], again.changed["unchanged"]) == (1, 1)
    assert foreseen.plan


async def test_they_can_be_skipped(bench):
    vault = await bench.back_up()
    bench.rules.write_text("rules: []\n")
    await bench.restore(vault, variables={"skip": {"athena_system": ["rules"]}})
    await bench.restore(vault, databases=["athena_components"])
    await bench.restore(vault, databases=[])

    assert bench.rules.read_text() == "rules: []\n"


async def test_what_is_wanted_wrongly_is_refused(bench):
    vault = await bench.back_up()
    for wanted, kind in (
        ({"databases": ["nope"]}, NotFound),
        ({"variables": {"nope": 1}}, BadRequest),
        ({"names": {"athena_system": "x"}}, BadRequest),
        ({"databases": [7]}, BadRequest),
    ):
        with pytest.raises(kind):
            await bench.restore(vault, **wanted)
    for wrong in (Wanted(databases=[]), Wanted(variables={"nope": 1})):
        with pytest.raises(BadRequest):
            await bench.source().back_up(wrong, bench.stage(), Listener())


async def test_rules_that_are_gone_come_back(bench):
    vault = await bench.back_up()
    bench.rules.unlink()
    # What there is before a restore may lack them.
    before = bench.stage()
    wanted = Wanted(variables={"missing": True})
    await bench.source().back_up(wanted, before, Listener())
    await bench.restore(before.sealed(), variables={"undo": True})
    assert not bench.rules.exists()
    await bench.restore(vault)

    assert bench.rules.read_text() == RULES


async def test_without_an_index_or_rules_there_is_no_backup(bench):
    bench.rules.unlink()
    with pytest.raises(StorageError, match=r"rules\.yaml"):
        await bench.back_up()
    bench.index.unlink()
    with pytest.raises(StorageError, match="index"):
        await bench.back_up()

    assert not (await bench.source().health()).reachable
