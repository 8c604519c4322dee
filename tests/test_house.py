"""What holds for the project as a whole, rather than for one room of it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.metadata import version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, UnionType
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from syncd.api import cyborg, daemon, front, sync_v1
from syncd.cli.main import syncd as commands
from syncd.config.values import Config, Entry
from syncd.config.variables import APPLIES

HOUSE = Path(__file__).parents[1]
WHOLE = {"acceptance", "benchmarks", "faults", "peers"}
"""Folders of tests that are about more than one module."""

OTHERS = {"__pycache__", "_build", "node_modules"}
"""Folders of what was made, or written by other people."""

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
NAMELESS = {"utils", "util", "helpers", "common", "misc"}


def texts() -> Iterator[tuple[Path, str]]:
    """Give every text file of the project."""
    places = [HOUSE / name for name in ("syncd", "tests", "docs", "config", ".ci")]
    files = [file for place in places for file in place.rglob("*")]
    for file in [*files, *HOUSE.iterdir()]:
        inside = file.relative_to(HOUSE).parts
        if file.is_file() and not OTHERS & set(inside):
            try:
                yield file, file.read_text()
            except UnicodeDecodeError:
                continue


def read(name: str) -> str:
    return (HOUSE / name).read_text()


def test_every_test_is_about_a_module_of_its_place():
    strangers = []
    for file in (HOUSE / "tests").rglob("test_*.py"):
        folder = file.relative_to(HOUSE / "tests").parent
        name = file.stem.removeprefix("test_")
        module = HOUSE / "syncd" / folder / name
        is_whole = bool(WHOLE & set(folder.parts)) or file == Path(__file__)
        is_about = module.is_dir() or module.with_suffix(".py").exists()
        # A model beside it (model.py) is run against the whole room.
        if not (is_whole or is_about or (file.parent / f"{name}.py").exists()):
            strangers.append(str(file.relative_to(HOUSE)))

    assert strangers == []


def test_every_decision_has_its_own_tests():
    modules = {file.stem for file in (HOUSE / "syncd/core").glob("[a-z]*.py")}
    tests = {
        file.stem.removeprefix("test_")
        for file in (HOUSE / "tests/core").glob("test_*.py")
    }

    assert modules - tests == set()


def test_no_module_is_named_after_nothing():
    assert not NAMELESS & {file.stem for file in (HOUSE / "syncd").rglob("*.py")}


def test_nothing_is_left_unfinished_or_tells_where_it_was_made():
    told = [
        str(file)
        for file, text in texts()
        if UNFINISHED.search(text) or f"{HOUSE}/" in text
    ]

    assert told == []


def test_there_is_one_version():
    setup = ConfigParser()
    setup.read(HOUSE / "setup.cfg")

    assert setup["metadata"]["version"] == version("syncd"), "install it anew"
    assert f"\n{version('syncd')} " in read("CHANGELOG.rst")


def test_what_lands_is_checked_by_everybodys_command():
    assert "\nmake test\n" in read(".ci/run")
    assert os.access(HOUSE / ".ci/run", os.X_OK)
    for command in ("run", "test", "check", "bench"):
        assert re.search(rf"^{command}:.*## ", read("Makefile"), re.MULTILINE)


def test_python_m_syncd_is_the_command():
    said = subprocess.run(
        [sys.executable, "-m", "syncd", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert version("syncd") in said.stdout


def test_the_unit_is_one_that_systemd_takes(tmp_path):
    systemd_analyze = shutil.which("systemd-analyze")
    assert systemd_analyze, "make test installs it"
    unit = tmp_path / "syncd.service"
    text = read("config/syncd.service")
    unit.write_text(re.sub(r"(?m)^(ExecStart=)\S+", r"\1/bin/true", text))

    said = subprocess.run(
        [systemd_analyze, "verify", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (said.returncode, said.stderr) == (0, "")


def test_the_rules_that_come_with_syncd_name_its_entries():
    entries = yaml.safe_load(read("config/syncd.yaml"))["entries"]
    rules = yaml.safe_load(read("config/rules.yaml"))["rules"]

    assert rules == [{"match": {"path": "/"}, "sync": list(entries)}]


class TestDocumentation:
    @pytest.fixture
    def generated(self) -> ModuleType:
        spec = spec_from_file_location("generated", HOUSE / "docs/generated.py")
        assert spec and spec.loader
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def test_every_setting_is_in_the_reference(self, generated):
        models: list[tuple[str, type[BaseModel]]] = generated.PARTS
        nested = {
            f"{name}."
            for name, field in Config.model_fields.items()
            for kind in [field.annotation, *one_of(field.annotation)]
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        }

        said = {prefix for prefix, _ in models}
        assert {prefix for prefix in said if not prefix.startswith("backup.")} == {
            "",
            "entries.NAME.",
            "entries.NAME.guard.",
            *nested,
        }
        assert all(f.description for _, m in models for f in m.model_fields.values())
        assert "\n.. settings::\n" in read("docs/reference/settings.rst")

    def test_every_setting_of_an_entry_is_in_the_commented_default(self):
        assert all(
            f" {name}:" in read("config/syncd.yaml") for name in Entry.model_fields
        )
        assert all(
            f"{name}:" in read("config/syncd.yaml") for name in Config.model_fields
        )

    def test_every_command_has_help(self, generated):
        context = generated.click.Context(commands, info_name="syncd")
        shown = [one.command_path for one in generated._commands(context)]

        assert {"syncd run", "syncd check", "syncd entries approve"} <= set(shown)
        assert all(one.command.help for one in generated._commands(context))
        assert "\n.. commands::\n" in read("docs/reference/cli.rst")

    def test_every_route_is_in_the_reference(self):
        said = read("docs/reference/api.rst")
        routes = [(where, kind) for where, kind in sync_v1.routes()]
        routes += [pair for pair in front.ROUTES if len(pair[0].split("/")) < 4]
        missing = [
            path
            for where, kind in routes
            if (path := plain(where))
            and not any(f"``{method} {path}``" in said for method in kind.operations)
        ]

        assert missing == []

    def test_every_address_of_the_backup_daemon_is_in_its_reference(self):
        said = read("docs/reference/backup-daemon.rst")
        missing = [
            path
            for where, kind in daemon.routes()
            if not where.startswith("/incremental/")
            and (path := re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), where))
            and not all(f"``{method} {path}``" in said for method in kind.operations)
        ]

        assert missing == []

    def test_every_address_for_whole_machines_is_in_its_reference(self):
        said = read("docs/reference/cyborg.rst")
        missing = [
            f"{method} {path}"
            for where, kind in cyborg.routes()
            for path in [re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), where)]
            for method in kind.operations
            if f"``{method} {path}``" not in said
        ]

        assert missing == []

    def test_every_variable_is_in_the_reference(self):
        said = read("docs/reference/backup-daemon.rst")
        names = [name for name in APPLIES if not name.startswith("INC_")]

        assert [name for name in names if f"``{name}``" not in said] == []

    def test_every_room_is_on_the_map(self):
        said = read("docs/architecture.rst")
        rooms = {
            path.name + "/" if path.is_dir() else path.name
            for path in (HOUSE / "syncd").iterdir()
            if path.suffix in ("", ".py")
            and path.name[:8] not in ("__init__", "__pycach")
        }

        assert {room for room in rooms if f"     {room} " not in said} == set()


def one_of(annotation: object) -> tuple[object, ...]:
    """Return the types of ``ONE | ANOTHER``."""
    return get_args(annotation) if isinstance(annotation, UnionType) else ()


def plain(where: str) -> str:
    """Return an address as the reference writes it; empty for the front door."""
    path = where.removeprefix(sync_v1.PREFIX).removeprefix("/api")
    return re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), path).removesuffix("/")
