from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.drivers import registry
from syncd.errors import ConfigError

BROKEN = "[syncd.drivers]\nbroken = syncd_no_such_package:Driver\n"
STRANGE = "[syncd.drivers]\nstrange = strange_driver:Strange\n"

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


def test_an_unknown_driver_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no driver 'nope'; known: .*memory"):
        registry.load("nope")


@pytest.mark.parametrize("name", ["local_storage", "memory"])
def test_a_driver_tells_what_it_is_and_what_it_takes(name):
    schema = registry.schemas()[name]

    assert schema.description.endswith(".")
    assert schema.options["type"] == "object"
    assert schema.options["additionalProperties"] is False
    assert registry.load(name).Options.model_json_schema() == schema.options


def test_a_broken_package_troubles_only_who_uses_it(installed):
    installed("broken", BROKEN)

    assert "broken" in registry.names()
    assert "memory" in registry.schemas()
    assert "broken" not in registry.schemas()
    with pytest.raises(
        ConfigError, match=r"syncd_no_such_package.*install its package"
    ):
        registry.load("broken")


def test_a_package_that_fails_in_its_own_way_is_as_broken(installed):
    (installed("strange", STRANGE) / "strange_driver.py").write_text("1 / 0")

    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        registry.load("strange")


def test_a_strangers_driver_counts_like_our_own(installed):
    (installed("strange", STRANGE) / "strange_driver.py").write_text(
        "from syncd.drivers.contract import Options\n"
        "class Strange:\n"
        "    '''Keeps files somewhere.\n\n    More.'''\n"
        "    Options = Options\n"
    )

    assert registry.schemas()["strange"].description == "Keeps files somewhere."
