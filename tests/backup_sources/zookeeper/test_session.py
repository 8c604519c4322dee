"""Ways to ZooKeeper: encrypted ones, logins, and such that break in the middle."""

import asyncio

import pytest
from kazoo.security import make_acl

from syncd.backup_sources.zookeeper import asking
from syncd.backup_sources.zookeeper.session import Session
from syncd.core.backup import Wanted
from syncd.errors import StorageError
from tests.backup_sources.fakes import FolderStaging, Listener
from tests.backup_sources.zookeeper.park import Park
from tests.backup_sources.zookeeper.test_source import put
from tests.peers.zookeeper import SASL


def once(do) -> Listener:
    """Return a listener that does it as soon as it is told how far a job is."""
    left = [do]

    def hear() -> None:
        if listener.told and left:
            left.pop()()

    listener = Listener(hear)
    return listener


class TestTheWay:
    async def test_tls_with_a_certificate(self, encrypted, tmp_path):
        park = Park(encrypted, tmp_path)
        tls = {
            "ca": str(encrypted.ca),
            "certificate": str(encrypted.certificate),
            "key": str(encrypted.key),
        }
        secure = {"hosts": [f"127.0.0.1:{encrypted.secure}"], "tls": tls}
        encrypted.clear()
        with encrypted.visited() as client:
            put(client, "/app/x", b"1")
        vault = await park.backed_up(**secure)
        encrypted.clear()
        await park.restored(vault, options=secure)
        assert encrypted.content("/app")["x"][0] == b"1"
        health = await park.source(**secure).health()
        assert (health.reachable, health.figures["members_there"]) == (True, 1)

    # kazoo leaves sockets to the garbage whose handshake fails.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.parametrize("ours", [True, False])
    async def test_tls_that_one_of_both_does_not_trust(self, encrypted, tmp_path, ours):
        tls: dict[str, str] = {"ca": str(encrypted.ca)}
        if ours:
            certificate, key = str(encrypted.certificate), str(encrypted.key)
            tls = {"certificate": certificate, "key": key}
        hosts = [f"127.0.0.1:{encrypted.secure}"]
        park = Park(encrypted, tmp_path, hosts=hosts, tls=tls, patience=2)

        assert not (await park.source().health()).reachable

    async def test_sasl(self, with_sasl, tmp_path):
        park = Park(with_sasl, tmp_path)
        sasl = {"username": SASL[0], "password": SASL[1]}
        with_sasl.clear()
        options = {"mechanism": "DIGEST-MD5", "service": "zookeeper", **sasl}
        with with_sasl.visited(sasl_options=options) as client:
            ours = [make_acl("sasl", SASL[0], all=True)]
            put(client, "/app", b"1", ours)
            put(client, "/app/deep/er", b"1", ours)
        before = with_sasl.content("/app")
        vault = await park.backed_up(sasl=sasl)
        assert (await park.report())[0].failed
        with_sasl.clear()
        await park.restored(vault, options={"sasl": sasl})
        assert with_sasl.content("/app") == before

        wrong = park.source(sasl={**sasl, "password": "wrong"}, patience=5)
        health = await wrong.health()
        assert not health.reachable

    async def test_nobody_there(self, tmp_path, zoo):
        park = Park(zoo, tmp_path, hosts=["127.0.0.1:1"], patience=0.5)
        wanted = Wanted()
        with pytest.raises(StorageError, match=r"127\.0\.0\.1:1 takes the session"):
            await park.source().back_up(
                wanted, FolderStaging(tmp_path / "vault"), Listener()
            )


class TestWhatBreaks:
    @pytest.mark.parametrize("who", ["leader", "follower"])
    async def test_a_member_is_killed_during_a_backup(self, reserve, who):
        filled(reserve)
        victim = next(one for one in reserve.zoo.servers if one.mode == who)
        others = [one.host for one in reserve.zoo.servers if one is not victim]
        # The one that is read first is the one that goes.
        reserve.said["hosts"] = [victim.host, *others]
        reserve.listener = once(victim.kill)
        report, vault = await reserve.report("app")
        assert report.failed == {}
        before = reserve.zoo.content("/app")
        reserve.listener = Listener()
        reserve.zoo.clear()
        await reserve.restored(vault)

        assert reserve.zoo.content("/app") == before

    @pytest.mark.parametrize("who", ["leader", "follower"])
    async def test_a_member_is_killed_during_a_restore(self, reserve, who):
        reserve.said["packet"] = 20_000
        filled(reserve)
        before = reserve.zoo.content("/app")
        vault = await reserve.backed_up()
        reserve.zoo.clear()
        victim = next(one for one in reserve.zoo.servers if one.mode == who)
        reserve.listener = once(victim.kill)
        await reserve.restored(vault)

        assert reserve.zoo.content("/app") == before

    async def test_what_was_asked_is_asked_again(self, reserve):
        filled(reserve)
        victim = next(one for one in reserve.zoo.servers if one.mode == "follower")
        paths = [f"/app/n{number % 300}" for number in range(3000)]
        requests = ((path, asking.Permits(path)) for path in paths)
        answers = []
        async with Session(reserve.source(hosts=[victim.host])._options) as session:
            async for path, answer in session.each(requests, 512):
                answers.append((path, answer))
                if len(answers) == 100:
                    victim.kill()
                    victim.start()

            assert session.lost
        assert [path for path, _ in answers] == paths
        assert all(isinstance(answer, tuple) for _, answer in answers)

    async def test_a_session_that_expires(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/x", b"1")
        options = park.source()._options
        async with Session(options) as session:
            first = session._client.client_id
            assert len(await session.read(["/app/x"])) == 1
            with park.zoo.visited(client_id=first):
                pass  # Closing it ends the session for both.
            answers = await asyncio.wait_for(session.read(["/app/x"]), 60)

            assert answers[0][0] == b"1"
            assert session._client.client_id != first

    async def test_a_server_killed_under_a_restore_is_as_it_was_or_is_to_be(
        self, reserve
    ):
        """All members go, and come back: what was begun is finished, or taken back."""
        reserve.said["packet"] = 20_000
        filled(reserve)
        before = reserve.zoo.content("/app")
        vault = await reserve.backed_up()
        with reserve.zoo.visited() as client:
            client.delete("/app/n1", recursive=True)
            client.set("/app/n2/x", b"now")

        def all_of_them() -> None:
            for server in reserve.zoo.servers:
                server.kill()
            for server in reserve.zoo.servers:
                server.start()

        reserve.listener = once(all_of_them)
        await reserve.restored(vault)

        assert reserve.zoo.content("/app") == before


class TestHealth:
    async def test_members_and_lag(self, reserve):
        health = await reserve.source().health()
        assert health.reachable
        assert health.figures["members_there"] == health.figures["members"] == 3
        assert health.figures["lag"] < 1000
        assert health.figures["latency_seconds"] > 0
        report, _ = await reserve.report()
        assert report.origin["lag"] == 0

        victim = reserve.zoo.servers[0]
        victim.kill()
        assert (await reserve.report())[0].failed == {}
        health = await reserve.source().health()
        assert (health.reachable, health.figures["members_there"]) == (True, 2)
        assert f"not there: {victim.host}" in health.detail

        reserve.zoo.servers[1].kill()
        health = await reserve.source(patience=2).health()
        assert (health.reachable, health.figures["quorum"]) == (False, 0)


def filled(park: Park) -> None:
    with park.zoo.visited() as client:
        for number in range(300):
            put(client, f"/app/n{number}/x", str(number).encode() * 300)
