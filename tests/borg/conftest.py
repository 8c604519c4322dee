import pytest

from tests.borg.bench import Bench


@pytest.fixture
async def bench(tmp_path) -> Bench:
    """A repository that is ready, and a source with a file."""
    bench = Bench(tmp_path)
    await bench.prepare()
    (bench.source / "a").write_text("one")
    return bench
