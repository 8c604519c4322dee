"""An open index in a file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.store.database import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path / "index.db") as opened:
        yield opened
