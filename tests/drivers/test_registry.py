import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from syncd.drivers import loading, registry
from syncd.drivers.contract import Can
from syncd.errors import ConfigError

BROKEN = """
[syncd.drivers]
broken = syncd_no_such_package:Driver
[syncd.driver_options]
broken = syncd_no_such_package:Options
"""
STRANGE = """
[syncd.drivers]
strange = strange_driver:Strange
[syncd.driver_options]
strange = strange_driver:Options
"""

Install = Callable[[str, str], Path]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution that announces entry points."""

    def install(name: str, entry_points: str) -> Path:
        folder = tmp_path / f"{name}-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\n")
        (folder / "entry_points.txt").write_text(entry_points)
        monkeypatch.syspath_prepend(str(tmp_path))
        return tmp_path

    return install


def test_syncd_brings_its_drivers():
    assert {"local_storage", "memory"} <= set(registry.names())


@pytest.mark.parametrize("group", [registry.GROUP, registry.OPTIONS])
def test_our_own_are_known_as_they_are_announced(group):
    announced = {one.name: one.value for one in entry_points(group=group)}

    assert registry.OURS[group].items() <= announced.items()


def test_an_unknown_driver_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no driver 'nope'; known: .*memory"):
        registry.reference("nope")
    with pytest.raises(ConfigError, match="no driver 'nope'"):
        registry.options("nope")


@pytest.mark.parametrize("name", ["local_storage", "memory"])
def test_a_driver_tells_what_it_is_and_what_it_takes(name):
    schema = registry.schemas()[name]

    assert schema.description.endswith(".")
    assert schema.options["type"] == "object"
    assert schema.options["additionalProperties"] is False
    assert registry.options(name).model_json_schema() == schema.options


@pytest.mark.parametrize("name", ["local_storage", "memory"])
def test_a_driver_keeps_what_is_lost_if_its_options_say_so(name):
    driver = loading.load(registry.reference(name))

    assert registry.options(name).keeps_lost == (Can.KEEP_LOST in driver.can)
    assert loading.load(registry.reference(name)).can


def test_a_broken_package_troubles_only_who_uses_it(installed):
    installed("broken", BROKEN)

    assert "broken" in registry.names()
    assert "memory" in registry.schemas()
    assert "broken" not in registry.schemas()
    told = r"syncd_no_such_package.*install its package"
    with pytest.raises(ConfigError, match=told):
        registry.options("broken")
    with pytest.raises(ConfigError, match=told):
        loading.load(registry.reference("broken"))


def test_a_package_that_fails_in_its_own_way_is_as_broken(installed):
    (installed("strange", STRANGE) / "strange_driver.py").write_text("1 / 0")

    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        registry.options("strange")
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        loading.load(registry.reference("strange"))


def test_a_strangers_driver_counts_like_our_own(installed):
    (installed("strange", STRANGE) / "strange_driver.py").write_text(
        "from syncd.drivers import options\n"
        "class Options(options.Options, frozen=True):\n"
        "    '''Keeps files somewhere.\n\n    More.'''\n"
        "    where: str\n"
    )

    strange = registry.schemas()["strange"]
    assert strange.description == "Keeps files somewhere."
    assert strange.options["required"] == ["where"]


def test_a_driver_that_announces_no_options_takes_none(installed):
    installed("strange", STRANGE.partition("[syncd.driver_options]")[0])

    assert registry.options("strange").model_json_schema()["properties"] == {}


def test_a_child_needs_no_pydantic_for_the_drivers():
    program = (
        "import sys, syncd.child.__main__; from syncd.drivers import loading;"
        "loading.load('syncd.drivers.local_storage.storage:LocalStorage');"
        "sys.exit('pydantic' in sys.modules or 'importlib.metadata' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
