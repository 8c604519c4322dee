"""Borg on bad days: a repository without room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from syncd.core.borg.tasks import Check, PrepareRepository, Survey
from syncd.errors import StorageFull
from tests.borg.bench import Bench


@pytest.fixture
def small(tmp_path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=True
    )
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


async def test_a_full_repository_is_told_and_what_it_has_stays(tmp_path, small):
    bench = Bench(tmp_path)
    bench.repository = replace(bench.repository, path=str(small / "repository"))
    await bench.do(PrepareRepository(**bench.common(), repository=bench.repository))
    (bench.source / "a").write_text("one")
    first = await bench.do(bench.backup())
    assert first.archive
    (bench.source / "big").write_bytes(os.urandom(16 << 20))

    with pytest.raises(StorageFull, match="no room for the repository; make some"):
        await bench.do(bench.backup(made=60.0))

    found = await bench.do(Survey(**bench.common(), repository=bench.repository))
    assert [one.name for one in found.archives] == [first.archive]
    await bench.do(Check(**bench.common(), repository=bench.repository))
    await bench.do(bench.restore(first.archive))
    assert bench.restored(bench.source / "a").read_text() == "one"
