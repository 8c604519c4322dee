"""Backups of snapshots and logs: from a server's folder, and from a newer server."""

import json
import shutil
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kazoo.security import make_acl

from syncd.backup_sources.zookeeper import asking, fetching, words
from syncd.backup_sources.zookeeper.image import Image
from syncd.backup_sources.zookeeper.session import Session
from syncd.core import backup
from syncd.core.backup import Report, Wanted
from syncd.errors import BadRequest, StorageError
from tests.backup_sources.fakes import FolderVault
from tests.backup_sources.zookeeper.park import Park
from tests.backup_sources.zookeeper.test_source import nodes, put, secret
from tests.peers import zookeeper
from tests.peers.zookeeper import SUPER, Zoo

LOGIN = {"scheme": "digest", "credential": SUPER[0]}


@pytest.fixture(scope="module")
def busy() -> Iterator[Zoo]:
    """A server that begins snapshots and logs anew all the time."""
    with zookeeper.alone(settings={"snapCount": 40}) as zoo:
        yield zoo


@pytest.fixture
def keeper(busy: Zoo, tmp_path: Path) -> Park:
    """One that is backed up from its folder."""
    busy.clear()
    return Park(busy, tmp_path, data=str(busy.servers[0].data))


@pytest.fixture(scope="module")
def newer() -> Iterator[Zoo]:
    """A server that gives its snapshots away."""
    with zookeeper.newer() as zoo:
        yield zoo


@pytest.fixture
def modern(newer: Zoo, tmp_path: Path) -> Park:
    """One that is backed up from its admin server."""
    newer.clear()
    urls = [server.admin for server in newer.servers]
    return Park(newer, tmp_path, admin=urls, admin_login=LOGIN)


@pytest.fixture(params=["keeper", "modern"])
def either(request) -> Park:
    park: Park = request.getfixturevalue(request.param)
    return park


async def report_of(park: Park, **options: Any) -> tuple[Report, FolderVault]:
    return await park.report(mode="transactional", **options)


async def whole(park: Park, **options: Any) -> FolderVault:
    """Make a transactional backup that must be good."""
    report, vault = await report_of(park, **options)
    assert report.failed == {}
    assert report.origin["mode"] == "transactional"
    return vault


async def grown(park: Park) -> None:
    """Have all sorts of nodes, made in all sorts of ways."""
    with park.zoo.visited("me:mine") as client:
        for name, data in (("all", bytes(range(256))), ("null", None), ("none", b"")):
            put(client, f"/app/{name}", data)
        for number in range(30):
            put(client, f"/many/n{number}", b"first")
        batch = client.transaction()
        batch.delete("/many/n1")
        batch.create("/many/n1", b"again")
        batch.set_data("/many/n2", b"second")
        batch.create("/many/n2/deep", b"x" * 5000)
        assert all(not isinstance(one, Exception) for one in batch.commit())
        batch = client.transaction()
        batch.create("/app/never")
        batch.delete("/many/n3")
        batch.check("/app", 999)
        assert all(isinstance(one, Exception) for one in batch.commit())
        client.create("/queue")
        made = [client.create("/queue/n-", sequence=True) for _ in range(5)]
        for path in made[:3]:
            client.delete(path)
        put(client, "/closed/x", b"1", secret("me:mine"))
        client.set_acls("/closed", [make_acl("world", "anyone", read=True)])
    with park.zoo.visited() as client:
        client.create("/passing", ephemeral=True)
    async with Session(park.source()._options) as session:
        lives = asking.acl(["world:anyone:cdrwa"])
        request = asking.CreateContainer("/locks", b"", lives, 4)
        await session.send(request)
        request = asking.CreateTTL("/soon", b"", lives, 5)
        request.ttl = 3_600_000
        await session.send(request)


class TestBoth:
    async def test_all_comes_back_node_by_node(self, either):
        await grown(either)
        before = either.zoo.content("/")
        vault = await whole(either)
        names = list(await either.source().listed(vault))
        assert {"app", "many", "queue", "zookeeper"} <= set(names)
        assert "passing" not in names
        either.zoo.clear()
        login = {"auth": [{"credential": "me:mine"}]}
        await either.restored(vault, options=login)

        assert either.zoo.content("/") == before
        with either.zoo.visited() as client:
            assert client.create("/queue/n-", sequence=True) == "/queue/n-0000000005"
        # What no client is told: a snapshot tells it.
        assert either.zoo.servers[0].owner("/locks") == "container"
        assert either.zoo.servers[0].owner("/soon") == "ttl"

    async def test_it_says_the_same_as_what_clients_are_told(self, either):
        await grown(either)
        vault = await whole(either)
        told = await either.backed_up(auth=[LOGIN])
        there = image(vault, either.home)
        assert {node["path"]: node | {"kind": "", "ttl": 0} for node in there} == {
            node["path"]: node | {"kind": "", "ttl": 0} for node in nodes(told)
        }

    async def test_some_of_it_under_another_name(self, either):
        await grown(either)
        vault = await whole(either)
        await either.restored(
            vault, databases=["zookeeper", "app/all"], names={"app/all": "new"}
        )

        assert either.zoo.content("/new") == {"/new": either.zoo.content("/app")["all"]}

    async def test_all_in_it_is_of_one_transaction(self, either):
        """Two nodes that are always set together are equal in it."""
        with either.zoo.visited() as client:
            for name in ("one", "other"):
                put(client, f"/app/{name}", b"0")
        with written(either.zoo):
            for number in range(5):
                report, vault = await report_of(either)
                values = {
                    node["path"]: node["data"]
                    for node in image(vault, either.home / str(number))
                    if node["path"].startswith("/app/")
                }
                said = report.origin["consistency"]
                if not said["moved_nodes"]:
                    assert values["/app/one"] == values["/app/other"]
                if either.said.get("data"):
                    assert said["consistent"]

    @pytest.mark.parametrize("databases", [["app"], []])
    async def test_it_is_of_everything(self, either, databases):
        wanted = Wanted(databases=databases, variables={"mode": "transactional"})
        with pytest.raises(BadRequest, match="leave out the databases"):
            await either.source().back_up(wanted, None, either.listener)

    async def test_its_files_are_what_a_new_server_starts_with(self, either):
        """Where all members are lost, these are put into their empty folders."""
        await grown(either)
        before = either.zoo.content("/")
        vault = await whole(either)
        with zookeeper.unstarted() as fresh:
            folder = fresh.servers[0].data / "version-2"
            folder.mkdir()
            for name, (_, data) in vault.held.items():
                if name.startswith(("snapshot.", "log.")):
                    (folder / name).write_bytes(data)
            fresh.started()
            found = fresh.content("/")
            with fresh.visited() as client:
                made = client.create("/queue/n-", sequence=True)
            fresh.servers[0].kill()
            fresh.started()

            assert found == before
            assert made == "/queue/n-0000000005"
            assert "n-0000000005" in fresh.content("/queue")


class TestFolders:
    async def test_without_a_way_it_says_what_is_missing(self, keeper):
        with pytest.raises(BadRequest, match=r"takes admin .* or data"):
            await report_of(keeper, data=None)
        with pytest.raises(StorageError, match="cannot be looked into"):
            await report_of(keeper, data="/nowhere")

    async def test_only_whole_records_are_taken(self, keeper):
        put_many(keeper, 3)
        folder, log = copied(keeper)
        text = log.read_bytes().rstrip(b"\0")
        log.write_bytes(text[:-10] + bytes(100))
        report, vault = await report_of(keeper, data=str(folder))

        assert report.failed == {}
        # Where not even one record is whole, the log is left out.
        _, data = vault.held.get(log.name, (None, b""))
        assert text.startswith(data)
        assert len(data) < len(text) - 10
        assert report.origin["lag"]

    async def test_a_damaged_record_is_no_end(self, keeper):
        put_many(keeper, 3)
        folder, log = copied(keeper)
        text = bytearray(log.read_bytes().rstrip(b"\0"))
        text[-150] ^= 1
        log.write_bytes(text)
        with pytest.raises(StorageError, match="in the middle of it is damaged"):
            await report_of(keeper, data=str(folder))

    async def test_missing_transactions_are_noticed(self, keeper):
        put_many(keeper, 100)
        folder, _ = copied(keeper)
        logs = sorted(folder.glob("log.*"), key=lambda log: int(log.name[4:], 16))
        snapshots = sorted(
            folder.glob("snapshot.*"), key=lambda one: int(one.suffix[1:], 16)
        )
        for snapshot in snapshots[1:]:
            snapshot.unlink()
        logs[-2].unlink()
        with pytest.raises(StorageError, match="transactions are missing"):
            await report_of(keeper, data=str(folder))

    async def test_an_older_snapshot_where_the_newest_is_not_whole(self, keeper):
        put_many(keeper, 100)
        folder, _ = copied(keeper)
        newest = max(folder.glob("snapshot.*"), key=lambda one: int(one.suffix[1:], 16))
        newest.write_bytes(newest.read_bytes()[:-30])
        before = keeper.zoo.content("/app")
        vault = await whole(keeper, data=str(folder))
        assert f"{newest.name}: " in keeper.listener.text
        assert newest.name not in vault.held
        keeper.zoo.clear()
        await keeper.restored(vault)

        assert keeper.zoo.content("/app") == before

    async def test_one_that_is_too_far_behind(self, keeper):
        put_many(keeper, 3)
        folder, _ = copied(keeper)
        with keeper.zoo.visited() as client:
            for _ in range(30):
                client.create("/app/later-", sequence=True)
        report, _ = await report_of(keeper, data=str(folder), lag=20)
        assert "transactions behind" in report.failed["lag"]

        report, _ = await report_of(keeper, data=str(folder), lag=1000)
        assert (report.failed, report.origin["lag"] >= 30) == ({}, True)

    async def test_one_that_is_too_far_behind_where_nobody_says_who_leads(
        self, keeper, monkeypatch
    ):
        """As where srvr is not on the servers' list of words."""
        put_many(keeper, 3)
        folder, _ = copied(keeper)
        with keeper.zoo.visited() as client:
            for _ in range(30):
                client.create("/app/later-", sequence=True)

        async def silent(hosts, tls):
            return words.Ensemble([words.Member(host, there=True) for host in hosts])

        monkeypatch.setattr(words, "asked", silent)
        report, _ = await report_of(keeper, data=str(folder), lag=20)
        assert "transactions behind" in report.failed["lag"]

        report, _ = await report_of(keeper, lag=20)
        assert (report.failed, report.origin["lag"]) == ({}, 0)

    async def test_one_that_another_daemon_made(self, keeper):
        """It has no manifest, and sessions are missing from the logs."""
        put_many(keeper, 100)
        before = keeper.zoo.content("/app")
        vault = await whole(keeper)
        del vault.held["zookeeper.json"]
        assert "app" in await keeper.source().listed(vault)
        keeper.zoo.clear()
        await keeper.restored(vault)

        assert keeper.zoo.content("/app") == before

    @given(st.data())
    def test_nothing_but_refusals_of_what_is_damaged(self, tmp_path_factory, data):
        text = bytearray(SAMPLE)
        if data.draw(st.booleans()):
            length = data.draw(st.integers(0, len(text) - 1))
            # Older servers write less behind all nodes.
            assume(length not in (len(text) - 21, len(text) - 54))
            del text[length:]
        else:
            # What is before has no part in anything.
            place = data.draw(st.integers(16, len(text) - 1))
            text[place] ^= data.draw(st.integers(1, 255))
        path = tmp_path_factory.mktemp("damaged") / "snapshot.1"
        path.write_bytes(text)
        with Image() as made, pytest.raises(StorageError):
            made.take_snapshot(path, 1)

    def test_what_is_sound_is_taken(self, tmp_path):
        path = tmp_path / "snapshot.1"
        path.write_bytes(SAMPLE)
        with Image() as made:
            assert made.take_snapshot(path, 1) == 7
            assert made.tops() == {"app": (1, 2, 0)}
            assert made.node("/app", 0).data == b"hi"


class TestAdminServers:
    async def test_who_may_not(self, modern):
        with modern.zoo.visited(SUPER[0]) as client:
            client.set_acls("/", secret("me:mine"))
        wrong = {"scheme": "digest", "credential": "they:theirs"}
        with pytest.raises(StorageError, match=r"403.*all rights on /"):
            await report_of(modern, admin_login=wrong)
        mine = {"scheme": "digest", "credential": "me:mine"}
        await whole(modern, admin_login=mine)
        with pytest.raises(StorageError, match=r"Auth info is missing.*admin_login"):
            await report_of(modern, admin_login=None)

    async def test_what_is_no_admin_server(self, modern):
        url = modern.zoo.servers[0].admin
        with pytest.raises(StorageError, match="not the address of an admin server"):
            await report_of(modern, admin=[f"{url}/nowhere"])
        with pytest.raises(StorageError, match="no admin server tells how it is"):
            await report_of(modern, admin=["http://127.0.0.1:1"])

    async def test_the_member_that_leads_is_asked(self, modern):
        url = modern.zoo.servers[0].admin
        await whole(modern, admin=["http://127.0.0.1:1", url])

        assert f"the snapshot of {url}, standalone" in modern.listener.text

    @pytest.mark.parametrize(
        ("status", "headers", "body", "words"),
        [
            (429, {}, b'{"error": null}', "Too Many.*429.*rateLimiterIntervalInMS"),
            (503, {}, b'{"error": "it is disabled"}', "it is disabled"),
            (500, {}, b"<html>", "Internal Server Error"),
            (200, {"last_zxid": "0x1"}, b"ZKSN", "does not begin with ZKSN"),
            (200, {"last_zxid": "x"}, b"", "of which transaction"),
            (200, {"snapshot_size": "9"}, b"cut", "broke off after 3 of 9 bytes"),
        ],
    )
    async def test_answers_that_are_no_snapshots(
        self, keeper, status, headers, body, words
    ):
        with (
            answering(status, headers, body) as url,
            pytest.raises(StorageError, match=words),
        ):
            await report_of(keeper, admin=[url])


def sample() -> bytes:
    """Return a snapshot of two nodes, as a server writes it."""
    permits = struct.pack("!qii", 1, 1, 31) + text("world") + text("anyone")
    made = b"ZKSN" + struct.pack("!iqi", 2, -1, 1) + struct.pack("!qi", 5, 1000)
    made += struct.pack("!i", 1) + permits
    for path, data in (("", b""), ("/app", b"hi")):
        made += text(path) + struct.pack("!i", len(data)) + data
        made += struct.pack("!qqqqqiiiqq", 1, 3, 3, 0, 0, 0, 0, 0, 0, 3)
    made += text("/")
    for more in (b"", struct.pack("!qiq", 7, 2, 99), struct.pack("!q", 7)):
        made += more
        made += struct.pack("!q", zlib.adler32(made)) + text("/")
    return made


def text(words: str) -> bytes:
    return struct.pack("!i", len(words)) + words.encode()


SAMPLE = sample()


@contextmanager
def answering(status: int, headers: dict[str, str], body: bytes) -> Iterator[str]:
    """Have an admin server answer so when it is asked for a snapshot."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_asked = "snapshot" in self.path
            said = body if is_asked else b'{"server_stats": {}}'
            self.send_response(status if is_asked else 200)
            for name, value in {**headers, "Content-Length": str(len(said))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def written(zoo: Zoo) -> Iterator[None]:
    """Have two nodes be set together all the time, and others come and go."""
    end, begun = threading.Event(), threading.Event()

    def write() -> None:
        with zoo.visited() as client:
            number = 0
            while not end.is_set():
                number += 1
                batch = client.transaction()
                for name in ("one", "other"):
                    batch.set_data(f"/app/{name}", str(number).encode())
                batch.commit()
                client.create("/app/n-", b"x" * 500, sequence=True)
                begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        end.set()
        thread.join(60)


def put_many(park: Park, count: int) -> None:
    with park.zoo.visited() as client:
        for number in range(count):
            put(client, f"/app/n{number}", b"x" * 50)


def copied(park: Park) -> tuple[Path, Path]:
    """Return a copy of the server's folder, and the log in it that is written to."""
    folder = park.home / "copy"
    shutil.copytree(park.zoo.servers[0].data / "version-2", folder)
    logs = folder.glob("log.*")
    return folder, max(logs, key=lambda log: int(log.name[4:], 16))


def image(vault: FolderVault, home: Path) -> list[dict[str, Any]]:
    """Return the nodes of a vault, as lines."""
    scratch = home / "image"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    content = fetching.opened(vault, scratch)
    ways = fetching.ways(backup.Restoring(), content, "v")
    fetching.fetch(vault, content, ways, scratch)
    lines = (scratch / "restored").read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["path"] != "/"]
