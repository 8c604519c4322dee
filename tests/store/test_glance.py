from syncd.store import entries, glance
from syncd.store.database import Store


async def test_tells_who_was_stopped_though_the_index_is_open(tmp_path):
    path = tmp_path / "index.db"
    async with Store(path) as store:
        await store.run(entries.configure, ["A", "B"], ["1", "2"])
        assert glance.stopped(path, ["A", "B"]) == set()
        (b,) = [one for one in await store.read(entries.everything) if one.name == "B"]
        await store.run(entries.stop, b.slot, True)
        assert glance.stopped(path, ["A", "B"]) == {"B"}
    assert glance.stopped(path, ["A", "B"]) == {"B"}


def test_where_nothing_was_kept_nobody_was_stopped(tmp_path):
    assert glance.stopped(tmp_path / "index.db", ["A"]) == set()
    assert list(tmp_path.iterdir()) == []


def test_of_an_index_that_it_cannot_read_it_tells_the_default(tmp_path):
    path = tmp_path / "index.db"
    path.write_bytes(b"no database" * 1000)
    assert glance.stopped(path, ["A"]) == {"A"}
    path.write_bytes(b"")
    assert glance.stopped(path, ["A"]) == {"A"}
