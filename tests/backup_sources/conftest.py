"""The sources under test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backup_sources.fakes import FolderStaging, FolderVault
from tests.backup_sources.hands import CommandHand, EntriesHand, Hand


@pytest.fixture(params=[EntriesHand, CommandHand], ids=["entries", "command"])
def hand(request, tmp_path: Path) -> Hand:
    home = tmp_path / "home"
    home.mkdir()
    made: Hand = request.param(home)
    return made


Staged = Callable[..., FolderStaging]


@pytest.fixture
def stage(tmp_path: Path) -> Staged:
    """Begin vaults; each may follow on a last one."""
    number = 0

    def stage(last: FolderVault | None = None) -> FolderStaging:
        nonlocal number
        number += 1
        return FolderStaging(tmp_path / f"vault {number}", last)

    return stage
