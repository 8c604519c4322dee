"""Commands as people write them, some of them badly."""

import asyncio
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from syncd.backup_sources.command import source as module
from syncd.backup_sources.command.options import CommandOptions
from syncd.backup_sources.command.source import Command
from syncd.backup_sources.contract import Around
from syncd.core.backup import Report, Restoring, Wanted
from syncd.errors import BadRequest, ConfigError, NotFound, StorageError
from tests.backup_sources.fakes import FolderStaging, Listener

WITHIN = 60.0
TOUCH = 'touch "$1/x"'


class Desk:
    """Scripts, and what comes of them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.listener = Listener()
        self._number = 0

    def script(self, text: str) -> str:
        """Write a script and return how it is called in a template."""
        self._number += 1
        path = self.home / f"script {self._number}"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return f'"{path}"'

    def source(self, **options: Any) -> Command:
        said = {"backup": "true", "grace": 1.0, **options}
        return Command.create(
            CommandOptions(**said).model_dump(), Around(scratch=self.home)
        )

    def stage(self) -> FolderStaging:
        self._number += 1
        return FolderStaging(self.home / f"staging {self._number}")

    async def back_up(
        self,
        text: str,
        *databases: Any,
        into: FolderStaging | None = None,
        variables: dict[str, Any] | None = None,
        rest: str = "%(data_folder)s %(dbs)s",
        **options: Any,
    ) -> Report:
        source = self.source(backup=f"{self.script(text)} {rest}", **options)
        wanted = Wanted(databases=list(databases) or None, variables=variables or {})
        async with asyncio.timeout(WITHIN):
            return await source.back_up(wanted, into or self.stage(), self.listener)

    async def restore(
        self, text: str, vault: Any = None, rest: str = "", **wanted: Any
    ) -> Report:
        options = wanted.pop("options", {})
        rest = rest or "%(data_folder)s %(dbs)s %(dbmap)s"
        source = self.source(restore=f"{self.script(text)} {rest}", **options)
        vault = vault or self.stage().sealed()
        async with asyncio.timeout(WITHIN):
            return await source.restore(Restoring(**wanted), vault, self.listener)


@pytest.fixture
def desk(tmp_path) -> Desk:
    return Desk(tmp_path)


class TestBackups:
    async def test_a_command_writes_what_it_likes(self, desk):
        into = desk.stage()
        report = await desk.back_up('echo "$@" > "$1/said"; mkdir "$1/x"', into=into)

        assert report == Report(origin={"kind": "command"}, exit_code=0)
        assert (into.folder / "said").read_text() == f"{into.folder}\n"
        assert Path(into.folder).is_absolute()

    async def test_words_arrive_one_by_one(self, desk):
        into = desk.stage()
        script = desk.script('for word; do echo "<$word>"; done > "$1/said"')
        source = desk.source(
            backup=f"{script} %(data_folder)s %(dbs)s %(mode)s %(region)s %(zone)s",
            variables=["mode", {"region": "eu"}, "zone"],
        )
        databases = ["a", {"b": {"collections": ["c d"]}}]
        evil = "x \"--evil=1' $(id)"
        report = await source.back_up(
            Wanted(databases=databases, variables={"mode": evil}), into, desk.listener
        )

        assert report.databases == ["a", "b"]
        assert (into.folder / "said").read_text().splitlines() == [
            f"<{into.folder}>",
            "<-d>",
            '<["a",{"b":{"collections":["c d"]}}]>',
            "<-mode>",
            f"<{evil}>",
            "<-region>",
            "<eu>",
        ]

    async def test_what_a_variable_says_is_not_told(self, desk):
        source = desk.source(
            backup=f"{desk.script(TOUCH)} %(data_folder)s %(token)s",
            variables=["token"],
        )
        wanted = Wanted(variables={"token": "hush"})
        await source.back_up(wanted, desk.stage(), desk.listener)

        assert "-token ***" in desk.listener.text
        assert "hush" not in desk.listener.text

    async def test_its_environment_is_what_was_said(self, desk, monkeypatch):
        monkeypatch.setenv("BACKUP_DAEMON_API_CREDENTIALS_PASSWORD", "secret")
        monkeypatch.setenv("PYTHONPATH", "/somewhere")
        into = desk.stage()
        await desk.back_up('env > "$1/env"', into=into, environment={"HOST": "zoo"})

        said = (into.folder / "env").read_text()
        assert "HOST=zoo" in said
        assert "PATH=" in said
        assert "secret" not in said
        assert "PYTHONPATH" not in said

    @pytest.mark.parametrize(
        ("text", "code", "why"),
        [
            ("for n in 1 2 3 4 5 6; do echo $n; done; exit 3", 3, "2\n3\n4\n5\n6"),
            ("echo down >&2; exit 1", 1, "ended with 1:\ndown"),
            ("kill -9 $$", -9, "ended by signal 9"),
        ],
    )
    async def test_a_failure_is_told_with_its_last_words(self, desk, text, code, why):
        report = await desk.back_up(f'touch "$1/x"; {text}')

        assert report.exit_code == code
        assert why in report.failed["command"]

    async def test_a_success_that_wrote_nothing_is_none(self, desk):
        report = await desk.back_up('mkdir "$1/folder"; echo all is well')

        assert report.exit_code == 0
        assert "wrote nothing" in report.failed["command"]
        assert (await desk.back_up("true", allow_empty=True)).failed == {}

    async def test_one_that_takes_too_long_is_ended(self, desk):
        report = await desk.back_up(
            'trap "" TERM; touch "$1/x"; echo begun; while :; do sleep 1; done',
            timeout=1.0,
            grace=0.1,
        )

        assert "took longer than 1 s" in report.failed["command"]
        assert report.exit_code == -9

    async def test_one_that_leaves_a_writer_behind_has_failed(self, desk):
        report = await desk.back_up(
            '(exec 3> "$1/half"; echo > "$1/up"; sleep 600) &'
            ' while [ ! -e "$1/up" ]; do sleep 0.05; done'
        )

        assert report.exit_code == 0
        assert "still writing" in report.failed["command"]

    async def test_one_that_leaves_an_idler_behind_has_not(self, desk):
        report = await desk.back_up('touch "$1/x"; setsid sleep 600 &')

        assert report.failed == {}
        assert "1 processes that it left behind were ended" in desk.listener.text

    async def test_what_it_prints_is_told_but_not_all_of_it(self, desk):
        report = await desk.back_up(
            'touch "$1/x"; echo first; head -c 100000000 /dev/zero | tr "\\0" x;'
            " echo; echo last"
        )

        assert report.failed == {}
        lines = desk.listener.lines
        assert lines[1] == "first"
        assert lines[-2:] == ["last", "ended with 0"]
        assert any("left out here" in line for line in lines)
        assert sum(map(len, lines)) < 10 << 20

    async def test_sparse_and_huge_files_are_its_own_affair(self, desk):
        into = desk.stage()
        report = await desk.back_up(
            'truncate -s 10G "$1/sparse"; head -c 50000000 /dev/zero > "$1/big"',
            into=into,
        )

        assert report.failed == {}
        assert (into.folder / "sparse").stat().st_size == 10 << 30
        assert (into.folder / "sparse").stat().st_blocks == 0

    async def test_a_program_that_is_not_there_fails(self, desk):
        source = desk.source(backup="/no/such/program %(data_folder)s")
        with pytest.raises(StorageError, match="cannot be started: No such file"):
            await source.back_up(Wanted(), desk.stage(), desk.listener)

        health = await source.health()
        assert (health.reachable, "/no/such/program" in health.detail) == (False, True)

    async def test_being_called_off_asks_before_it_ends(self, desk):
        into = desk.stage()
        stop = desk.script('echo stop > "$1/stop"')
        task = asyncio.ensure_future(
            desk.back_up(
                'touch "$1/up"; while [ ! -e "$1/stop" ]; do sleep 0.05; done;'
                ' echo asked > "$1/asked"',
                into=into,
                terminate=f"{stop} %(data_folder)s",
                grace=WITHIN,
            )
        )
        async with asyncio.timeout(WITHIN):
            while not (into.folder / "up").exists():
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert (into.folder / "asked").exists()

    async def test_databases_that_it_does_not_take_are_refused(self, desk):
        with pytest.raises(BadRequest, match="takes no databases"):
            await desk.back_up('touch "$1/x"', "a", rest="%(data_folder)s")

    @pytest.mark.parametrize("bad", ["a b", "../x", {"a": {"x": []}}, None])
    async def test_every_name_is_checked(self, desk, bad):
        into = desk.stage()
        with pytest.raises(BadRequest):
            await desk.back_up('touch "$1/x"', "good", bad, into=into)

        assert list(into.folder.iterdir()) == []


class TestLists:
    async def test_the_databases_are_what_it_prints(self, desk):
        lister = desk.script("echo; echo ' one '; echo two; echo three >&2; echo")
        report = await desk.back_up('touch "$1/x"', list=f"{lister} %(data_folder)s")
        source = desk.source(list=f"{lister} %(data_folder)s")

        assert report.databases == ["one", "two"]
        assert list(await source.listed(desk.stage().sealed())) == ["one", "two"]

    async def test_one_that_fails_is_told_and_is_no_reason_to_lose_a_backup(self, desk):
        lister = desk.script("echo one; echo no use >&2; exit 4")
        report = await desk.back_up(
            'touch "$1/x"', "asked", list=f"{lister} %(data_folder)s"
        )

        assert report.failed == {}
        assert report.databases == ["asked"]
        assert "no use" in report.origin["unlisted"]
        with pytest.raises(
            StorageError, match="the list command ended with 4:\nno use"
        ):
            await desk.source(list=lister).listed(desk.stage().sealed())

    async def test_one_that_prints_without_end_is_ended(self, desk, monkeypatch):
        monkeypatch.setattr(module, "MOST_LISTED", 1000)
        source = desk.source(list=desk.script("head -c 99999 /dev/zero"))
        with pytest.raises(StorageError, match="printed more than 1000 bytes"):
            await source.listed(desk.stage().sealed())

    async def test_one_that_hangs_is_ended(self, desk):
        source = desk.source(list=desk.script("sleep 600"), quick_timeout=0.5)
        with pytest.raises(StorageError, match=r"took longer than 0\.5 s"):
            await source.listed(desk.stage().sealed())

    async def test_without_one_it_is_what_was_asked_for(self, desk):
        vault = desk.stage().sealed(databases=["a"])

        assert list(await desk.source().listed(vault)) == ["a"]
        assert list(await desk.source().listed(desk.stage().sealed())) == []


class TestRestores:
    async def test_a_command_is_told_what_is_wanted(self, desk):
        out = desk.home / "out"
        report = await desk.restore(
            f'for word; do echo "<$word>"; done > {shlex.quote(str(out))}',
            databases=["a", "b"],
            names={"a": "z"},
        )

        assert report.failed == {}
        assert report.databases == ["a", "b"]
        assert out.read_text().splitlines()[1:] == [
            "<-d>",
            '<["a","b"]>',
            "<-m>",
            '<{"a":"z"}>',
        ]

    async def test_all_is_all(self, desk):
        out = desk.home / "out"
        await desk.restore(f'echo "$#" > {shlex.quote(str(out))}')

        assert out.read_text() == "1\n"

    async def test_a_failure_is_one(self, desk):
        report = await desk.restore("echo no such server; exit 5")

        assert (report.exit_code, report.databases) == (5, [])
        assert "no such server" in report.failed["command"]

    @pytest.mark.parametrize(
        ("wanted", "why"),
        [
            ({"delete": True}, "paths and delete"),
            ({"paths": ["a"]}, "paths and delete"),
            ({"databases": ["a b"]}, "not the name"),
            ({"databases": ["a"], "names": {"b": "c"}}, "not restored"),
            ({"databases": ["a"], "names": {"a": "c d"}}, "not the name"),
            ({"databases": ["a"], "rest": "%(data_folder)s"}, "takes no databases"),
            ({"names": {"a": "b"}, "rest": "%(dbs)s"}, "takes no new names"),
            ({"options": {"full_restore": False}}, "full_restore"),
        ],
    )
    async def test_what_it_cannot_do_is_refused(self, desk, wanted, why):
        with pytest.raises(BadRequest, match=why):
            await desk.restore('touch "$1/x"', **wanted)

    async def test_one_that_cannot_restore_says_so(self, desk):
        with pytest.raises(BadRequest, match="has no restore command; add one"):
            await desk.source().restore(
                Restoring(), desk.stage().sealed(), desk.listener
            )

    async def test_names_are_looked_up_in_the_list(self, desk):
        lister = desk.script("echo a; echo b")
        with pytest.raises(NotFound, match="holds no c; it holds: a, b"):
            await desk.restore("true", databases=["c"], options={"list": lister})
        with pytest.raises(NotFound, match="holds no c"):
            await desk.restore("true", names={"c": "d"}, options={"list": lister})

    async def test_a_dry_run_tells_what_would_be_run(self, desk):
        report = await desk.restore("exit 9", databases=["a"], dry_run=True)

        (line,) = report.plan
        assert line.startswith("run: ")
        assert line.endswith('-d ["a"]')


class TestEvictions:
    async def test_it_is_told_before(self, desk):
        vault = desk.stage().sealed()
        source = desk.source(evict=desk.script('echo "bye $1"') + " %(data_folder)s")
        await source.evicted(vault, desk.listener)

        assert "bye /" in desk.listener.text

    async def test_a_failure_is_one(self, desk):
        source = desk.source(evict=desk.script("echo no; exit 1"))
        with pytest.raises(StorageError, match="the evict command ended with 1:\nno"):
            await source.evicted(desk.stage().sealed(), desk.listener)


def test_templates_that_make_no_sense_are_refused(tmp_path):
    options = {**CommandOptions(backup="true").model_dump(), "backup": 'x "'}
    with pytest.raises(ConfigError, match="never closed"):
        Command.create(options, Around(scratch=tmp_path))


async def test_health_looks_where_the_command_would(tmp_path):
    program = tmp_path / "dump-it"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"

    def source(**more: Any) -> Command:
        options = CommandOptions(backup="dump-it", **more).model_dump()
        return Command.create(options, Around(scratch=tmp_path))

    assert not (await source().health()).reachable
    assert (await source(environment={"PATH": path}).health()).reachable
