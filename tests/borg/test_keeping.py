"""Repositories made, pruned and checked."""

import os

import pytest
from msgspec.structs import replace

from syncd.core.borg import words
from syncd.core.borg.tasks import Check, Keep, PrepareRepository, Prune, Survey
from syncd.core.borg.values import Client, Policy, Repository
from syncd.errors import BadRequest, Conflict, NotFound, StorageError
from tests.borg.bench import MADE

DAY = 86_400.0


def prune(bench, **more) -> Prune:
    given = {
        "repository": bench.repository,
        "client": bench.client,
        "policy": Policy.FOLDERS,
        "keep": Keep(daily=1),
    }
    return Prune(**bench.common(), **{**given, **more})


async def archives(bench) -> list[str]:
    found = await bench.do(Survey(**bench.common(), repository=bench.repository))
    return sorted(one.name for one in found.archives)


def made_long_ago(bench, name: str, when: str) -> None:
    where = f"{bench.repository.path}::{name}"
    bench.borg("create", f"--timestamp={when}", where, str(bench.source))


async def test_a_repository_is_made_once(bench):
    other = Repository(path=f"{bench.folder}/below/other", passphrase="x")
    task = PrepareRepository(**bench.common(), repository=other)

    first, again = await bench.do(task), await bench.do(task)

    assert (first.made, first.encryption) == (True, "repokey")
    assert (again.made, again.encryption) == (False, "repokey")


async def test_a_repository_is_made_on_another_machine(remote, machines):
    path = f"ssh://root@127.0.0.1:{machines.store.port}{remote.folder}/other"
    other = replace(remote.repository, path=path)

    made = await remote.do(PrepareRepository(**remote.common(), repository=other))

    assert made.made
    assert (remote.folder / "other" / "config").exists()


async def test_an_encrypted_repository_needs_a_passphrase(bench):
    other = Repository(path=f"{bench.folder}/other")

    with pytest.raises(BadRequest, match="needs a passphrase"):
        await bench.do(PrepareRepository(**bench.common(), repository=other))


async def test_a_folder_that_is_no_repository_is_left_alone(bench):
    mine = bench.folder / "mine"
    mine.mkdir()
    (mine / "thesis").write_text("years")
    other = Repository(path=str(mine), passphrase="x")

    with pytest.raises(Conflict, match="There is already something"):
        await bench.do(PrepareRepository(**bench.common(), repository=other))

    assert [one.name for one in mine.iterdir()] == ["thesis"]


async def test_pruning_is_about_one_client_only(bench):
    for host in ("web", "web-01"):
        client = Client(hostname=host, here=True)
        await bench.do(bench.backup(client=client))
        await bench.do(bench.backup(client=client, made=MADE + 60))

    found = await bench.do(prune(bench))

    assert found.pruned == ["folders-web-2023-11-14_22-13"]
    assert found.kept == ["folders-web-2023-11-14_22-14"]
    assert await archives(bench) == [
        "folders-web-01-2023-11-14_22-13",
        "folders-web-01-2023-11-14_22-14",
        "folders-web-2023-11-14_22-14",
    ]


async def test_years_are_kept_as_years(bench):
    for year in (2020, 2021, 2022):
        name = f"folders-web-{year}-06-01_00-00"
        made_long_ago(bench, name, f"{year}-06-01T00:00:00")

    found = await bench.do(prune(bench, keep=Keep(yearly=2)))

    assert found.pruned == ["folders-web-2020-06-01_00-00"]


async def test_a_dry_run_prunes_nothing(bench):
    await bench.do(bench.backup())
    await bench.do(bench.backup(made=MADE + 60))

    found = await bench.do(prune(bench, dry_run=True))

    assert found.pruned == ["folders-web-2023-11-14_22-13"]
    assert len(await archives(bench)) == 2


async def test_nothing_is_pruned_when_the_backup_before_is_not_there(bench):
    await bench.do(bench.backup())
    await bench.do(bench.backup(made=MADE + 60))

    with pytest.raises(NotFound, match="so the backup before has failed"):
        await bench.do(prune(bench, proof="folders-web-2023-11-15_22-13"))

    assert len(await archives(bench)) == 2


async def test_an_append_only_repository_is_not_pruned(bench):
    bench.repository = replace(bench.repository, append_only=True)
    await bench.do(bench.backup())
    await bench.do(bench.backup(made=MADE + 60))

    found = await bench.do(prune(bench))

    assert found.notes == ["the repository is append-only: nothing is pruned"]
    assert len(await archives(bench)) == 2


async def test_an_append_only_repository_is_made_as_one(bench):
    path = bench.folder / "other"
    other = Repository(path=str(path), passphrase="x", append_only=True)

    made = await bench.do(PrepareRepository(**bench.common(), repository=other))

    assert made.made
    assert "append_only = 1" in (path / "config").read_text()


async def test_a_sound_repository_is_sound(bench):
    made = await bench.do(bench.backup())

    await bench.do(Check(**bench.common(), repository=bench.repository))
    await bench.do(
        Check(
            **bench.common(),
            repository=bench.repository,
            archive=made.archive,
            data=True,
        )
    )


async def test_damage_is_found(bench):
    (bench.source / "big").write_bytes(os.urandom(1 << 20))
    await bench.do(bench.backup())
    bench.damage()

    with pytest.raises(StorageError, match="the check"):
        await bench.do(Check(**bench.common(), repository=bench.repository))


async def test_what_was_pruned_is_told_even_if_no_room_was_made(bench, monkeypatch):
    await bench.do(bench.backup())
    await bench.do(bench.backup(made=MADE + 60))
    monkeypatch.setattr(words, "compact", lambda _: ["sh", "-c", "echo no >&2; exit 2"])

    found = await bench.do(prune(bench))

    assert found.pruned == ["folders-web-2023-11-14_22-13"]
    assert found.warnings == ["compacting ended with 2:\nno"]
