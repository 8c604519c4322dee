import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from syncd.config import Config, read
from syncd.errors import ConfigError


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short path: the configuration wants room for sockets in it."""
    folder = Path(tempfile.mkdtemp(prefix="cf"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def sound(tmp_path: Path) -> Callable[[str], Config]:
    """Read a text that must be a sound configuration."""

    def read_it(text: str) -> Config:
        path = tmp_path / "syncd.yaml"
        path.write_text(dedent(text))
        return read(path)

    return read_it


@pytest.fixture
def faults(
    tmp_path: Path, sound: Callable[[str], Config]
) -> Callable[[str], list[str]]:
    """Return what a text is refused for, a line a fault, without the file's name."""

    def refused(text: str) -> list[str]:
        with pytest.raises(ConfigError) as raised:
            sound(text)
        prefix = f"{tmp_path}/syncd.yaml: "
        return [line.removeprefix(prefix) for line in str(raised.value).splitlines()]

    return refused
