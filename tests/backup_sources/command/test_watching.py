import asyncio
import os

from syncd.backup_sources.command import watching
from syncd.core.job import Progress


async def test_what_lies_there_is_told_while_it_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "EVERY", 0.01)
    told: list[Progress] = []
    async with watching.watched(tmp_path, told.append):
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "file").write_bytes(os.urandom(100_000))
        (tmp_path / "sparse").touch()
        os.truncate(tmp_path / "sparse", 10 << 30)
        async with asyncio.timeout(60):
            while not told or told[-1].items < 2:
                await asyncio.sleep(0.01)
        (tmp_path / "more").touch()

    assert told[-1].items == 3
    assert 100_000 <= told[-1].bytes < 1 << 20
    assert {one.phase for one in told} == {"running"}


async def test_too_much_is_not_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "MOST", 3)
    for number in range(9):
        (tmp_path / str(number)).touch()
    told: list[Progress] = []
    async with watching.watched(tmp_path, told.append):
        pass

    assert told == []
