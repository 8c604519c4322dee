"""Stores of every kind."""

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.vaults.keys import Keys, new_identity
from syncd.vaults.local import LocalStore

IDENTITY = new_identity()[0]
KINDS = {
    "plain": (False, False),
    "compressed": (True, False),
    "encrypted": (False, True),
    "both": (True, True),
}


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture(params=KINDS)
def any_store(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[], LocalStore]:
    """Return what opens a store of one kind, the same one every time."""
    compress, encrypt = KINDS[request.param]
    keys = Keys(IDENTITY) if encrypt else None
    return lambda: LocalStore(tmp_path / "store", compress=compress, keys=keys)
