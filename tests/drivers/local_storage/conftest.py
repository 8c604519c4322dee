"""A folder, and the driver on it that keeps what is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.core.keeping import Promise
from syncd.drivers.local_storage.storage import LocalStorage


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
async def driver(root: Path) -> AsyncIterator[LocalStorage]:
    local = LocalStorage(root)
    local.keep(Promise(100, 100))
    await local.open()
    yield local
    await local.close()
