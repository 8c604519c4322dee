"""Vaults of the daemon that went before."""

import zipfile

import pytest

from syncd.errors import StorageError
from tests.backup_sources.fakes import FolderStaging, FolderVault
from tests.backup_sources.zookeeper.park import Park

DATA = {
    "": b"top\r\n\r",
    "/all": bytes(range(256)),
    "/empty": b"",
    "/q/n-0000000007": b"7",
}


def archived(park: Park, members: dict[str, bytes]) -> FolderVault:
    """Return a vault with such an archive, as one that was uploaded."""
    into = FolderStaging(park.home / "old")
    with zipfile.ZipFile(into.folder / "znodes.zip", "w") as archive:
        for name, data in members.items():
            # Its program read bytes as code page 437, and wrote them as UTF-8.
            archive.writestr(name, data.decode("cp437").encode())
    return into.sealed()


async def test_it_comes_back_byte_for_byte(park):
    members = {"zookeeper/": b"", "zookeeper/config/": b""}
    for name, data in DATA.items():
        members[f"app{name}/"] = b""
        if data:
            members[f"app{name}/content"] = data
    vault = archived(park, members)
    assert list(await park.source().listed(vault)) == ["app", "zookeeper"]
    report = await park.restored(vault)
    assert report.databases == ["app"]
    found = park.zoo.content("/app")
    assert {name: found[name.strip("/") or "/app"][0] for name in DATA} == DATA
    with park.zoo.visited() as client:
        assert client.create("/app/q/n-", sequence=True) == "/app/q/n-0000000008"
    await park.restored(vault, databases=["zookeeper"])
    await park.restored(vault, databases=["app/q"], names={"app/q": "new"})

    assert park.zoo.content("/new").keys() == {"/new", "n-0000000007"}


async def test_acls_that_are_there_stay_and_new_nodes_take_those_above(park):
    vault = archived(park, {"app/": b"", "app/content": b"old", "app/x/": b""})
    login = "me:mine"
    with park.zoo.visited(login) as client:
        from tests.backup_sources.zookeeper.test_source import put, secret

        put(client, "/app", b"new", secret(login))
    before = park.zoo.content("/app")["/app"][1]
    await park.restored(vault, options={"auth": [{"credential": login}]})
    found = park.zoo.content("/app")

    assert found["/app"] == (b"old", before)
    assert found["x"][1] == before


@pytest.mark.parametrize("name", ["../x/", "app//x/", "app/./x/", "app/other"])
async def test_what_is_no_such_archive_is_refused(park, name):
    vault = archived(park, {name: b""})
    with pytest.raises(StorageError, match=r"znodes\.zip"):
        await park.source().listed(vault)


async def test_what_is_no_backup_of_a_zookeeper_is_refused(park):
    with pytest.raises(StorageError, match="no backup of ZooKeeper"):
        await park.source().listed(FolderStaging(park.home / "none").sealed())
