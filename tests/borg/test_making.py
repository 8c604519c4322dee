"""Backups of this machine by real Borg."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from syncd.core.borg.handing import came_back, handed
from syncd.core.borg.tasks import Mode, Survey
from syncd.core.borg.values import Policy, Repository
from syncd.errors import (
    BadRequest,
    ConfigError,
    Conflict,
    NotFound,
    StorageError,
    StorageUntrusted,
)
from tests.borg.bench import PASSPHRASE, Bench
from tests.peers.databases import PASSWORD as DATABASE_PASSWORD
from tests.peers.databases import MariaDB, PostgreSQL
from tests.peers.sshd import new_key


async def test_a_folder_is_backed_up_and_comes_back(bench):
    (bench.source / "b").write_bytes(bytes(range(256)) * 1000)

    made = await bench.do(bench.backup())
    back = await bench.do(bench.restore(made.archive))

    assert made.archive == "folders-web-2023-11-14_22-13"
    assert made.sizes.original >= 256_003
    assert made.repository.deduplicated > 0
    assert (made.files, back.warnings) == (2, [])
    assert bench.restored(bench.source / "a").read_text() == "one"
    assert bench.restored(bench.source / "b").read_bytes() == bytes(range(256)) * 1000


async def test_the_passphrase_is_told_nowhere(bench):
    await bench.do(bench.backup())

    assert PASSPHRASE not in bench.heard.text
    held = [file for file in bench.folder.rglob("scratch*/**/*") if file.is_file()]
    assert not [file for file in held if PASSPHRASE in file.read_text()]


async def test_a_wrong_passphrase_is_told_with_its_remedy(bench):
    wrong = Repository(path=bench.repository.path, passphrase="no")

    with pytest.raises(BadRequest, match="another passphrase; correct"):
        await bench.do(bench.backup(repository=wrong))


async def test_a_repository_that_is_not_there_is_told(bench):
    elsewhere = Repository(path=f"{bench.folder}/nothing", passphrase="x")

    with pytest.raises(NotFound, match="no repository at that path; prepare it"):
        await bench.do(bench.backup(repository=elsewhere))


async def test_folders_that_are_not_there_make_no_backup(bench):
    with pytest.raises(NotFound, match="web has none of /nothing"):
        await bench.do(bench.backup(variables={"folders": ["/nothing"]}))


async def test_a_folder_of_several_that_is_not_there_is_warned_of(bench):
    folders = {"folders": [str(bench.source), "/nothing"]}

    made = await bench.do(bench.backup(variables=folders))

    assert any("/nothing" in warning for warning in made.warnings)


async def test_two_backups_of_one_minute_are_not_mixed_up(bench):
    await bench.do(bench.backup())

    with pytest.raises(Conflict, match="one of that name already"):
        await bench.do(bench.backup())


async def test_what_is_excluded_is_not_there(bench):
    (bench.source / "b.log").write_text("no")
    variables = {"folders": [str(bench.source)], "exclude": ["*.log", "--stats"]}

    made = await bench.do(bench.backup(variables=variables))
    await bench.do(bench.restore(made.archive))

    assert made.files == 1
    assert not bench.restored(bench.source / "b.log").exists()


async def test_what_a_command_prints_is_one_file(bench):
    variables = {"command": "echo one | tr o O; echo two"}

    made = await bench.do(bench.backup(policy=Policy.PIPED, variables=variables))
    await bench.do(bench.restore(made.archive))

    assert made.archive == "piped-web-2023-11-14_22-13"
    assert (bench.folder / "restored/stdin").read_text() == "One\ntwo\n"


@pytest.mark.parametrize("command", ["echo half; exit 3", "(echo half; exit 3) | cat"])
async def test_a_command_that_fails_anywhere_leaves_no_archive(bench, command):
    with pytest.raises(StorageError, match="ended with"):
        await bench.do(
            bench.backup(policy=Policy.PIPED, variables={"command": command})
        )

    with pytest.raises(NotFound, match="no such archive"):
        await bench.do(bench.restore("piped-web-2023-11-14_22-13"))


async def test_hooks_run_around_it(bench):
    said = bench.folder / "said"
    before, after = f"echo before >> {said}", f"echo after >> {said}; echo heard"

    await bench.do(bench.backup(before=before, after=after))

    assert said.read_text().split() == ["before", "after"]
    assert "heard" in bench.heard.lines


async def test_a_hook_before_it_that_fails_stops_it(bench):
    with pytest.raises(StorageError, match="the command before it ended with 7"):
        await bench.do(bench.backup(before="exit 7"))


async def test_what_a_hook_says_is_not_taken_for_trouble_of_ours(bench):
    with pytest.raises(StorageError, match="the command before it ended with 7"):
        await bench.do(bench.backup(before="echo borg: not found >&2; exit 7"))


async def test_a_hook_after_it_is_run_when_it_is_canceled(bench):
    said = bench.folder / "said"
    endless = bench.backup(
        policy=Policy.PIPED,
        variables={"command": f"echo begun > {said}; cat /dev/zero"},
        after=f"echo after >> {said}",
    )
    task = asyncio.create_task(bench.do(endless))
    async with asyncio.timeout(60):
        while not (said.exists() and said.read_text()):
            await asyncio.sleep(0.01)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert said.read_text() == "begun\nafter\n"


async def test_a_hook_after_it_is_run_after_a_failure_too(bench):
    said = bench.folder / "said"
    after = f"echo after > {said}; exit 8"

    made = await bench.do(bench.backup(after=after))

    assert made.warnings == ["the command after it ended with 8"]
    said.unlink()
    with pytest.raises(Conflict):
        await bench.do(bench.backup(after=after))
    assert said.exists()


BOTH = pytest.mark.parametrize("mode", list(Mode))


@BOTH
async def test_a_client_elsewhere_is_backed_up(remote, mode):
    (remote.source / "sub dir").mkdir()
    (remote.source / "sub dir" / "b").write_text("two")
    (remote.source / "c.log").write_text("no")
    (remote.source / "link").symlink_to("a")
    variables = {"folders": [str(remote.source)], "exclude": ["*.log"]}

    made = await remote.do(remote.backup(mode=mode, variables=variables))
    await remote.do(remote.restore(made.archive))

    assert made.warnings == []
    assert remote.restored(remote.source / "a").read_text() == "one"
    assert remote.restored(remote.source / "sub dir" / "b").read_text() == "two"
    assert remote.restored(remote.source / "link").readlink() == Path("a")
    assert not remote.restored(remote.source / "c.log").exists()


EXCLUDED = [
    "*.o",
    "cache",
    "sh:{source}/*.log",
    "sh:**/trash",
    "sh:{source}/all/**",
    "{source}/gone/",
    "pp:{source}/[a]",
]
KEPT = {"a", "cache/b", "deep/b.log"}
LEFT_OUT = {
    "b.o",
    "deep/b.o",
    "b.log",
    "trash/b",
    "deep/trash/b",
    "all/b",
    "gone/b",
    "[a]/b",
}


@BOTH
async def test_an_exclude_means_the_same_in_both_ways(remote, mode):
    """What is left out by mistake is missed only when it is needed."""
    for name in KEPT | LEFT_OUT:
        (remote.source / name).parent.mkdir(exist_ok=True, parents=True)
        (remote.source / name).write_text(name)
    exclude = [pattern.format(source=remote.source) for pattern in EXCLUDED]
    variables = {"folders": [str(remote.source)], "exclude": exclude}

    made = await remote.do(remote.backup(mode=mode, variables=variables))
    plan = (await remote.do(remote.restore(made.archive, dry_run=True))).plan

    top = str(remote.source).lstrip("/")
    found = {one.removeprefix(f"{top}/") for one in plan}
    assert found & (KEPT | LEFT_OUT) == KEPT


@BOTH
async def test_what_a_client_elsewhere_prints_is_one_file(remote, mode):
    variables = {"command": 'echo one; echo "it\'s"'}

    made = await remote.do(
        remote.backup(mode=mode, policy=Policy.PIPED, variables=variables)
    )
    await remote.do(remote.restore(made.archive))

    assert (remote.folder / "restored/stdin").read_text() == "one\nit's\n"


@BOTH
async def test_a_command_elsewhere_that_fails_leaves_no_archive(remote, mode):
    variables = {"command": "(echo half; exit 3) | cat"}

    with pytest.raises(StorageError):
        await remote.do(
            remote.backup(mode=mode, policy=Policy.PIPED, variables=variables)
        )

    found = await remote.do(Survey(**remote.common(), repository=remote.repository))
    assert found.archives == []


@BOTH
async def test_secrets_are_on_no_command_line(remote, mode):
    """The command looks for them while they are in use."""
    variables = {"command": "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"}

    made = await remote.do(
        remote.backup(mode=mode, policy=Policy.PIPED, variables=variables)
    )
    await remote.do(remote.restore(made.archive))

    seen = (remote.folder / "restored/stdin").read_text()
    assert "borg create" in seen
    assert PASSPHRASE not in seen
    assert "$(id)" not in seen


@BOTH
async def test_folders_elsewhere_that_are_not_there_make_no_backup(away, mode):
    with pytest.raises(NotFound, match="web has none of /nothing"):
        await away.do(away.backup(mode=mode, variables={"folders": ["/nothing"]}))


@pytest.mark.parametrize("freely", [False, True])
async def test_a_lent_key_opens_nothing_but_the_repository(remote, machines, freely):
    """The client, while it pushes, tries to get in somewhere else."""
    remote.login = replace(remote.login, lend_freely=freely)
    home = machines.client.home
    # It can reach itself, too, and so could reach any machine that takes our key.
    command = (
        "ssh -oBatchMode=yes -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null"
        f" -p{machines.client.port} root@127.0.0.1 echo in >{home}/tried 2>&1 || true"
    )

    await remote.do(remote.backup(policy=Policy.PIPED, variables={"command": command}))

    assert ("in\n" in (home / "tried").read_text()) == freely


async def test_a_machine_of_repositories_must_be_confirmed_too(remote, machines):
    remote.login = replace(remote.login, known_hosts=[machines.client.known])

    with pytest.raises(StorageUntrusted, match="compare its fingerprint"):
        await remote.do(remote.backup())


async def test_hooks_run_where_the_client_is(remote, machines):
    await remote.do(remote.backup(before="cd && pwd > said"))

    home = machines.client.home
    assert (home / "said").read_text() == f"{home}\n"


async def test_a_client_cannot_push_into_a_folder_of_ours(away):
    ours = Repository(path=str(away.folder / "ours"), passphrase="x")

    with pytest.raises(ConfigError, match="pull it"):
        await away.do(away.backup(repository=ours))


async def test_what_cannot_be_read_is_warned_of_when_pulled(remote):
    folders = {"folders": [str(remote.source), "/nothing"]}

    made = await remote.do(remote.backup(mode=Mode.PULL, variables=folders))

    assert any("/nothing" in warning for warning in made.warnings)


async def test_a_tar_that_gave_up_is_no_backup(remote, monkeypatch):
    """It ends with 2, as it does when one file only could not be read."""
    gave_up = 'cd / && tar -cf- "${1#/}"; echo tar: bad: exiting now >&2; exit 2'
    monkeypatch.setattr(
        "syncd.core.borg.words.tar",
        lambda what: ["sh", "-c", gave_up, "sh", *what.paths],
    )

    with pytest.raises(StorageError, match="reading the client ended with 2"):
        await remote.do(remote.backup(mode=Mode.PULL))


async def test_what_was_pulled_half_is_in_no_list(remote, monkeypatch):
    """The connection breaks after the client has sent a good half."""
    half = ["sh", "-c", 'cd / && tar -cf- "${1#/}"; kill -9 $PPID', "sh"]
    monkeypatch.setattr("syncd.core.borg.words.tar", lambda what: [*half, *what.paths])

    with pytest.raises(StorageError, match="reading the client"):
        await remote.do(remote.backup(mode=Mode.PULL))

    found = await remote.do(Survey(**remote.common(), repository=remote.repository))
    assert found.archives == []


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    with MariaDB() as server:
        server.ask("CREATE DATABASE shop; CREATE TABLE shop.a (n INT)")
        server.ask("INSERT INTO shop.a VALUES (4711); CREATE DATABASE other")
        server.ask("CREATE PROCEDURE shop.sum_up() SELECT sum(n) FROM shop.a")
        server.ask("CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 DAY DO SELECT 1")
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        server.ask("CREATE DATABASE shop")
        server.ask("CREATE TABLE a AS SELECT 4711 AS n", "shop")
        yield server


async def dumped(bench: Bench, policy: Policy, variables) -> str:
    """Return what a dump has in its one file."""
    made = await bench.do(bench.backup(policy=policy, variables=variables))
    assert made.archive
    await bench.do(bench.restore(made.archive))
    assert DATABASE_PASSWORD not in bench.heard.text
    return (bench.folder / "restored/stdin").read_text()


async def test_a_mariadb_is_dumped(anywhere, mariadb):
    variables = {
        "user": "root",
        "password": DATABASE_PASSWORD,
        "port": mariadb.port,
    }

    dump = await dumped(anywhere, Policy.MYSQL, variables)

    assert "CREATE DATABASE" in dump
    assert "(4711)" in dump
    assert "`other`" in dump


async def test_some_databases_of_a_mariadb_are_dumped(bench, mariadb):
    variables = {
        "user": "root",
        "password": DATABASE_PASSWORD,
        "port": mariadb.port,
        "databases": ["shop"],
    }

    dump = await dumped(bench, Policy.MYSQL, variables)

    assert "(4711)" in dump
    assert "`sum_up`" in dump
    assert "`nightly`" in dump
    assert "`other`" not in dump


@pytest.mark.parametrize("database", [None, "shop"])
async def test_a_postgresql_is_dumped(anywhere, postgresql, database):
    variables = {
        "user": "postgres",
        "password": DATABASE_PASSWORD,
        "port": postgresql.port,
        "database": database,
    }

    dump = await dumped(anywhere, Policy.POSTGRESQL, variables)

    assert "CREATE DATABASE shop" in dump
    assert "\n4711\n" in dump
    assert ("CREATE ROLE" in dump) == (database is None)


@pytest.mark.parametrize("database", [{"password": "no"}, {"databases": ["none"]}])
async def test_a_dump_that_fails_leaves_no_archive(bench, mariadb, database):
    variables = {
        "user": "root",
        "password": DATABASE_PASSWORD,
        "port": mariadb.port,
        **database,
    }

    with pytest.raises(StorageError, match="ended with 2"):
        await bench.do(bench.backup(policy=Policy.MYSQL, variables=variables))

    found = await bench.do(Survey(**bench.common(), repository=bench.repository))
    assert found.archives == []


async def test_a_client_behind_a_firewall_backs_itself_up(remote, machines):
    """It has a key of its own for the repository, and runs what it was handed."""
    own = machines.client.home / ".ssh"
    own.mkdir(exist_ok=True)
    key = new_key(own / "id_ed25519")
    assert key
    machines.store.let_in((own / "id_ed25519.pub").read_text())
    client = replace(remote.client, behind_firewall=True)
    task = remote.backup(client=client)
    work = handed(task)

    words = [
        f"-i{own}/id_ed25519" if one == "-a" else one for one in work.program.split(" ")
    ]
    process = subprocess.Popen(
        ["sh", "-c", " ".join(words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": str(machines.client.home)},
    )
    with process:
        assert process.stdin
        process.stdin.write(work.secrets.encode())
        process.stdin.flush()
        assert process.stdout
        assert process.stderr
        printed, said = process.stdout.read(), process.stderr.read().decode()
    result = came_back(task, process.returncode, printed, said)

    await remote.do(remote.restore(result.archive))
    assert remote.restored(remote.source / "a").read_text() == "one"
