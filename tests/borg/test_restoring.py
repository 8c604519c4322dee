"""Restores on this machine: all, some, nothing but a look, and never outside."""

import io
import os
import tarfile

import pytest

from syncd.core.borg.tasks import Mode
from syncd.core.borg.values import Client
from syncd.errors import ConfigError, Conflict, NotFound, StorageError


async def test_only_what_is_wanted_comes_back(bench):
    (bench.source / "sub").mkdir()
    (bench.source / "sub" / "b").write_text("two")
    made = await bench.do(bench.backup())

    back = await bench.do(bench.restore(made.archive, paths=[f"{bench.source}/sub"]))

    assert back.files == 2
    assert bench.restored(bench.source / "sub" / "b").read_text() == "two"
    assert not bench.restored(bench.source / "a").exists()


async def test_a_dry_run_tells_and_does_nothing(bench):
    made = await bench.do(bench.backup())

    back = await bench.do(bench.restore(made.archive, dry_run=True))

    assert back.plan[-1] == f"{bench.source}/a".lstrip("/")
    assert not (bench.folder / "restored").exists()


async def test_a_path_that_is_not_there_is_told_and_nothing_restored(bench):
    made = await bench.do(bench.backup())

    with pytest.raises(NotFound, match="has no nothing/here"):
        await bench.do(bench.restore(made.archive, paths=["/nothing/here"]))

    assert not (bench.folder / "restored").exists()


async def test_nothing_is_written_over(bench):
    made = await bench.do(bench.backup())
    there = bench.folder / "restored"
    there.mkdir()
    (there / "mine").write_text("mine")

    with pytest.raises(Conflict, match="is not empty, and nothing is written over"):
        await bench.do(bench.restore(made.archive))

    assert [one.name for one in there.iterdir()] == ["mine"]


async def test_what_was_lost_in_the_repository_is_warned_of(bench):
    """After a repair by hand, zeros stand for what was lost."""
    (bench.source / "big").write_bytes(os.urandom(1 << 20))
    made = await bench.do(bench.backup())
    bench.damage()
    bench.borg("check", "--repair", bench.repository.path)

    dry = await bench.do(bench.restore(made.archive, dry_run=True))
    back = await bench.do(bench.restore(made.archive))

    assert bench.restored(bench.source / "a").read_text() == "one"
    [warning] = dry.warnings
    assert f"{bench.source}/big".lstrip("/") in warning
    assert warning in back.warnings


@pytest.mark.parametrize("name", ["way", "./way", "way//", ".//./way"])
async def test_an_archive_that_leads_out_of_the_folder_is_not_restored(bench, name):
    outside = bench.folder / "outside"
    outside.mkdir()
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as made:
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        made.addfile(link)
        evil = tarfile.TarInfo("way/evil")
        evil.size = 4
        made.addfile(evil, io.BytesIO(b"evil"))
    where = f"{bench.repository.path}::evil"
    bench.borg("import-tar", where, "-", told=tar.getvalue())

    with pytest.raises(StorageError, match="'way/evil' lies behind a link"):
        await bench.do(bench.restore("evil"))

    assert not list(outside.iterdir())


@pytest.mark.parametrize("mode", list(Mode))
async def test_some_of_a_client_comes_back_however_it_was_read(remote, mode):
    (remote.source / "sub").mkdir()
    (remote.source / "sub" / "b").write_text("two")
    (remote.source / "sub" / "c").hardlink_to(remote.source / "sub" / "b")
    (remote.source / "sub" / "link").symlink_to("./b")
    made = await remote.do(remote.backup(mode=mode))

    paths = [f"{remote.source}/sub"]
    back = await remote.do(remote.restore(made.archive, paths=paths))

    there = remote.restored(remote.source / "sub")
    assert os.readlink(there / "link") == "./b"  # noqa: PTH115 - a Path drops the dot
    assert (there / "c").read_text() == "two"
    assert (there / "c").samefile(there / "b")
    assert not remote.restored(remote.source / "a").exists()
    assert (back.files, back.warnings) == (4, [])


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_client_gets_its_files_back(remote, mode):
    (remote.source / "sub dir").mkdir()
    (remote.source / "sub dir" / "b").write_text("two")
    (remote.source / "sub dir" / "b").chmod(0o640)
    made = await remote.do(remote.backup())
    target = remote.folder / "it's new"

    back = await remote.do(
        remote.restore(
            made.archive,
            client=remote.client,
            mode=mode,
            folder=str(target),
            paths=[f"{remote.source}/sub dir"],
        )
    )

    there = target / str(remote.source / "sub dir" / "b").lstrip("/")
    assert there.read_text() == "two"
    assert there.stat().st_mode & 0o777 == 0o640
    assert not list(target.rglob("a"))
    assert (back.files, back.warnings) == (2, [])


@pytest.mark.parametrize("mode", list(Mode))
async def test_nothing_of_a_client_is_written_over(remote, mode):
    made = await remote.do(remote.backup())
    target = remote.folder / "full"
    target.mkdir()
    (target / "mine").write_text("mine")

    with pytest.raises(Conflict, match="is not empty"):
        await remote.do(
            remote.restore(
                made.archive, client=remote.client, mode=mode, folder=str(target)
            )
        )

    assert [one.name for one in target.iterdir()] == ["mine"]


async def test_a_client_cannot_reach_a_folder_of_ours(bench):
    made = await bench.do(bench.backup())
    client = Client(hostname="far")

    with pytest.raises(ConfigError, match="cannot reach"):
        await bench.do(bench.restore(made.archive, client=client, mode=Mode.PUSH))
