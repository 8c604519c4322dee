"""Short pauses, and the logger that every room has."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd import log
from syncd.replication import referee
from tests.replication.house import House

assert log  # Imported for what it does: the rooms log through the standard library.


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real time is only for waking up; everything else asks the house's clock."""
    monkeypatch.setattr(referee, "TICK", 0.05)
    monkeypatch.setattr(referee, "PAUSE", 0.01)


@pytest.fixture
async def house(tmp_path: Path, hasty: None) -> AsyncIterator[House]:
    async with House(tmp_path, "A", "B", "C") as opened:
        await opened.use({"sync": ["A", "B", "C"]})
        opened.told.clear()
        yield opened
