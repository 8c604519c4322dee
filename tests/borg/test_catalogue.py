"""What an archive holds, written down."""

import pytest

from syncd.core.borg.listing import BATCH, Item, batches
from syncd.core.borg.tasks import Catalogue
from syncd.errors import NotFound, StorageError


def catalogue(bench, archive: str, **more) -> Catalogue:
    given = {"file": str(bench.folder / "catalogue"), **more}
    return Catalogue(
        **bench.common(), repository=bench.repository, archive=archive, **given
    )


def written(bench) -> list[list[Item]]:
    with (bench.folder / "catalogue").open("rb") as file:
        return list(batches(file.read))


async def test_every_item_is_written_down(bench):
    (bench.source / "näme").symlink_to("a")
    (bench.source / "a").chmod(0o640)
    made = await bench.do(bench.backup())

    found = await bench.do(catalogue(bench, made.archive))

    [items] = written(bench)
    assert found.files == len(items) == 3
    place = str(bench.source).lstrip("/")
    of = {item.path: item for item in items}
    file, link = of[f"{place}/a"], of[f"{place}/näme"]
    at = (bench.source / "a").stat().st_mtime
    assert (file.type, file.mode, file.size) == ("-", "-rw-r-----", 3)
    assert (file.owner, file.group, file.healthy) == ("root", "root", True)
    assert abs(file.mtime - at) < 0.001
    assert (link.type, link.target) == ("l", "a")
    assert of[place].type == "d"


async def test_many_items_come_in_batches(bench):
    for number in range(2 * BATCH):
        (bench.source / f"file{number}").touch()
    made = await bench.do(bench.backup())

    found = await bench.do(catalogue(bench, made.archive))

    sizes = [len(one) for one in written(bench)]
    assert sum(sizes) == found.files == 2 * BATCH + 2
    assert len(sizes) > 1
    assert bench.heard.steps[-1].items == found.files


async def test_an_archive_that_is_not_there_leaves_no_catalogue(bench):
    with pytest.raises(NotFound, match="no such archive"):
        await bench.do(catalogue(bench, "nothing"))

    assert not list(bench.folder.glob("catalogue*"))


async def test_a_catalogue_that_cannot_be_written_is_told(bench):
    made = await bench.do(bench.backup())

    with pytest.raises(StorageError, match="cannot be written"):
        await bench.do(catalogue(bench, made.archive, file="/dev/null/catalogue"))
