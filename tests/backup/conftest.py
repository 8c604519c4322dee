from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.store.database import Store
from tests.backup.bench import Bench


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path / "index.db") as opened:
        yield opened


@pytest.fixture
async def bench(store: Store, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(store, tmp_path) as opened:
        yield opened
