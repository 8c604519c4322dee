"""What the scripts that went before got wrong with a live ZooKeeper, one by one."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from kazoo.exceptions import NoAuthError
from kazoo.security import OPEN_ACL_UNSAFE, make_acl, make_digest_acl

from syncd.backup_sources.zookeeper.applying import Applying
from syncd.backup_sources.zookeeper.restoring import Restoring
from syncd.core import backup
from syncd.core.backup import Wanted
from syncd.errors import BadRequest, NotFound, StorageError
from tests.backup_sources.fakes import FolderVault, Listener
from tests.backup_sources.zookeeper.park import Park

ODD = {
    "all": bytes(range(256)),
    "lines": b"a\r\nb\rc\n",
    "utf": "é".encode(),
    "nothing": b"",
    "null": None,
    "large": bytes(range(256)) * 4000,
}


def put(client, path: str, data: bytes | None, acl: Any = None) -> None:
    """Make a node with exactly that data."""
    client.ensure_path(path.rpartition("/")[0])
    client.create(path, b"", acl=acl)
    client.set(path, data)


def secret(*logins: str):
    return [make_digest_acl(*login.split(":"), all=True) for login in logins]


class TestWhatIsKept:
    async def test_any_bytes_null_and_nothing(self, park):
        with park.zoo.visited() as client:
            for name, data in ODD.items():
                put(client, f"/app/{name}", data)
        before = park.zoo.content("/app")
        vault = await park.backed_up()
        with park.zoo.visited() as client:
            client.delete("/app", recursive=True)
        await park.restored(vault)

        assert park.zoo.content("/app") == before
        assert {name: before[name][0] for name in ODD} == ODD

    async def test_acls(self, park):
        ours, theirs = "me:mine", "they:theirs"
        with park.zoo.visited(ours) as client:
            put(client, "/app/both/deep", b"1", secret(ours, theirs))
            client.set_acls("/app/both", secret(ours))
            client.set_acls(
                "/app", [make_acl("world", "anyone", read=True), *secret(ours)]
            )
        before = park.zoo.content("/app")
        login = [{"credential": ours}]
        vault = await park.backed_up(auth=login)
        park.zoo.clear()
        await park.restored(vault, options={"auth": login})

        assert park.zoo.content("/app") == before
        with park.zoo.visited() as stranger, pytest.raises(NoAuthError):
            stranger.get("/app/both/deep")

    async def test_nothing_has_to_be_done_twice(self, park, monkeypatch):
        """Above all no node is there for a moment with a more open ACL."""
        ours = "me:mine"
        with park.zoo.visited(ours) as client:
            put(client, "/app/deep/null", None, secret(ours))
            client.create("/app/deep/n-", sequence=True, acl=secret(ours))
            client.set_acls("/app/deep", [make_acl("world", "anyone", read=True)])
            client.set_acls("/app", secret(ours))
        before = park.zoo.content("/app")
        login = [{"credential": ours}]
        vault = await park.backed_up("app", auth=login)
        park.zoo.clear()
        true, looks = Restoring._look, []

        async def look(self, *arguments):
            looks.append(await true(self, *arguments))
            return looks[-1]

        monkeypatch.setattr(Restoring, "_look", look)
        await park.restored(vault, options={"auth": login})

        assert park.zoo.content("/app") == before
        assert [bool([*one.plan.steps()]) for one in looks] == [True, False]

    async def test_acls_come_back_where_only_they_have_changed(self, park):
        ours = "me:mine"
        with park.zoo.visited(ours) as client:
            put(client, "/app/x", b"1", secret(ours))
        before = park.zoo.content("/app")
        login = [{"credential": ours}]
        vault = await park.backed_up(auth=login)
        with park.zoo.visited(ours) as client:
            client.set_acls("/app/x", OPEN_ACL_UNSAFE)
        report = await park.restored(vault, options={"auth": login})

        assert park.zoo.content("/app") == before
        assert report.changed["acl"] == 1

    async def test_sequential_names_go_on(self, park):
        with park.zoo.visited() as client:
            client.create("/queue")
            made = [client.create("/queue/n-", sequence=True) for _ in range(5)]
            for path in made[:3]:
                client.delete(path)
            client.create("/empty")
            client.delete(client.create("/empty/n-", sequence=True))
        vault = await park.backed_up()
        park.zoo.clear()
        await park.restored(vault)

        with park.zoo.visited() as client:
            assert sorted(client.get_children("/queue")) == [
                "n-0000000003",
                "n-0000000004",
            ]
            assert client.create("/queue/n-", sequence=True) == "/queue/n-0000000005"
            assert client.create("/empty/n-", sequence=True) == "/empty/n-0000000001"

    async def test_a_counter_that_is_too_far_away_is_named(self, park):
        with park.zoo.visited() as client:
            client.create("/queue")
            for _ in range(5):
                client.delete(client.create("/queue/n-", sequence=True))
        vault = await park.backed_up()
        park.zoo.clear()
        source = park.source(counters=4)
        report = await source.restore(backup.Restoring(), vault, Listener())

        assert "5 too low" in report.failed["/queue"]
        assert park.zoo.content("/queue")

    async def test_ephemeral_nodes_are_recorded_and_not_restored(self, park):
        with park.zoo.visited() as client:
            client.create("/app")
            client.create("/app/here", b"x", ephemeral=True)
            client.create("/here", ephemeral=True)
            report, vault = await park.report()
        assert report.origin["ephemeral"] == 2
        assert "here" not in await park.source().listed(vault)
        park.zoo.clear()
        await park.restored(vault)

        assert park.zoo.content("/app").keys() == {"/app"}

    async def test_containers_and_ttls_that_people_tell_of(self, park):
        park.said |= {"containers": ["/locks/*"], "ttl": {"/gone/*": 60_000}}
        with park.zoo.visited() as client:
            put(client, "/locks/one/child", b"")
            put(client, "/gone/soon", b"x")
        vault = await park.backed_up()
        park.zoo.clear()
        await park.restored(vault)

        kinds = {node["path"]: node for node in nodes(vault)}
        assert kinds["/locks/one"]["kind"] == "container"
        assert (kinds["/gone/soon"]["kind"], kinds["/gone/soon"]["ttl"]) == (
            "ttl",
            60_000,
        )
        assert park.zoo.servers[0].owner("/locks/one") == "container"
        assert park.zoo.servers[0].owner("/gone/soon") == "ttl"

    async def test_the_root_of_all(self, park):
        with park.zoo.visited() as client:
            client.set("/", b"of the root")
        vault = await park.backed_up()
        with park.zoo.visited() as client:
            client.set("/", b"changed")
            client.create("/new")
        await park.restored(vault)

        assert park.zoo.content("/")["/"][0] == b"of the root"
        # It is in no tree that was backed up.
        assert park.zoo.content("/new")

    async def test_a_node_called_content(self, park):
        with park.zoo.visited() as client:
            put(client, "/app", b"of app")
            put(client, "/app/content", b"of content")
            put(client, "/app/content/content", b"deeper")
        before = park.zoo.content("/app")
        vault = await park.backed_up()
        park.zoo.clear()
        await park.restored(vault)

        assert park.zoo.content("/app") == before

    async def test_names_that_no_file_could_have(self, park):
        with park.zoo.visited() as client:
            for name in ("%2F", "CON", "é ü", "x" * 400, "a" * 250 + "%", "...", "*"):
                put(client, f"/{name}/{name}", b"1")
        before = park.zoo.content("/")
        vault = await park.backed_up()
        park.zoo.clear()
        await park.restored(vault)

        assert park.zoo.content("/") == before


class TestWhatIsAskedFor:
    async def test_nested_paths(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/seq/x", b"1")
            put(client, "/app/other", b"1")
            client.set("/app", b"above")
        before = park.zoo.content("/app/seq")
        vault = await park.backed_up("app/seq")
        assert list(await park.source().listed(vault)) == ["app/seq"]
        park.zoo.clear()
        report = await park.restored(vault, databases=["app/seq"])

        assert report.databases == ["app/seq"]
        assert park.zoo.content("/app/seq") == before
        found = park.zoo.content("/app")
        assert "other" not in found
        assert found["/app"][0] == b"above"

    async def test_a_path_of_a_larger_tree_and_under_another_name(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/seq/x", b"1")
            put(client, "/app/other", b"1")
        vault = await park.backed_up()
        await park.restored(vault, databases=["app/seq"], names={"app/seq": "new"})
        with park.zoo.visited() as client:
            client.set("/app/seq/x", b"2")
            client.set("/app/other", b"2")
        await park.restored(vault, paths=["app/seq"])

        assert park.zoo.content("/new").keys() == {"/new", "x"}
        assert park.zoo.content("/app")["seq/x"][0] == b"1"
        assert park.zoo.content("/app")["other"][0] == b"2"

    async def test_zookeeper_itself(self, park):
        with park.zoo.visited() as client:
            client.create("/app")
            quota = "/zookeeper/quota/app"
            client.create(quota)
            client.create(f"{quota}/zookeeper_limits", b"count=100,bytes=1000")
            client.create(f"{quota}/zookeeper_stats", b"count=1,bytes=0")
        vault = await park.backed_up()
        with park.zoo.visited() as client:
            client.set(f"{quota}/zookeeper_limits", b"count=1,bytes=1")
        report = await park.restored(vault, databases=["zookeeper", "app"])
        assert report.databases == ["zookeeper", "app"]
        park.zoo.clear()
        await park.restored(vault, databases=["zookeeper"])

        found = park.zoo.content(quota)
        assert found["zookeeper_limits"][0] == b"count=100,bytes=1000"
        with pytest.raises(BadRequest, match="no other name"):
            await park.restored(
                vault, databases=["zookeeper"], names={"zookeeper": "x"}
            )

    async def test_all_of_a_vault_of_some(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/x", b"1")
            put(client, "/other", b"1")
        vault = await park.backed_up("app")
        park.zoo.clear()
        await park.restored(vault)

        assert park.zoo.content("/").keys() >= {"app", "app/x"}
        assert "other" not in park.zoo.content("/")

    @pytest.mark.parametrize("said", ["Transactional", "Hierarchical", 1])
    async def test_other_modes_are_refused_in_words(self, park, said):
        wanted = Wanted(variables={"mode": said})
        with pytest.raises(BadRequest, match="hierarchical"):
            await park.source().back_up(wanted, None, Listener())

    async def test_two_to_one_place_are_refused(self, park):
        with park.zoo.visited() as client:
            put(client, "/a/x", b"1")
            put(client, "/b/x", b"2")
        vault = await park.backed_up()
        for names in ({"a": "b"}, {"a": "b/deep"}):
            with pytest.raises(BadRequest, match="two nodes"):
                await park.restored(vault, databases=["a", "b"], names=names)
        with pytest.raises(BadRequest, match="no node /nowhere"):
            await park.restored(vault, databases=["a"], names={"a": "nowhere/a"})

    async def test_merge_and_missing_only(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/changed", b"then")
            put(client, "/app/lost", b"then")
        vault = await park.backed_up()
        with park.zoo.visited() as client:
            client.set("/app/changed", b"now")
            client.delete("/app/lost")
            client.create("/app/new")
        dry = await park.restored(vault, databases=["app"], dry_run=True)
        assert dry.plan == ["delete /app/new", "set /app/changed", "create /app/lost"]
        one = await park.restored(vault, variables={"mode": "missing-only"})
        found = park.zoo.content("/app")
        assert (found["changed"][0], found["lost"][0]) == (b"now", b"then")
        two = await park.restored(vault, variables={"mode": "merge"})
        assert park.zoo.content("/app").keys() == {"/app", "changed", "lost", "new"}
        assert park.zoo.content("/app")["changed"][0] == b"then"
        three = await park.restored(vault, variables={"mode": "replace"})
        assert park.zoo.content("/app").keys() == {"/app", "changed", "lost"}

        assert (one.changed["created"], one.changed["replaced"]) == (1, 0)
        assert (two.changed["replaced"], two.changed["deleted"]) == (1, 0)
        assert (three.changed["deleted"], three.changed["unchanged"] > 2) == (1, True)

    async def test_somebodys_living_node_stays(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/x", b"1")
            vault = await park.backed_up()
            client.create("/app/members")
            client.create("/app/members/me", ephemeral=True)
            client.create("/app/surplus")
            report = await park.restored(vault)

            assert client.exists("/app/members/me")
            assert not client.exists("/app/surplus")
            assert report.changed["ephemeral_kept"] == 1


class TestWhatMayNotBe:
    async def test_what_may_not_be_read_is_a_failure_that_names_it(self, park):
        ours = "me:mine"
        with park.zoo.visited(ours) as client:
            put(client, "/app/hidden", b"1", secret(ours))
            put(client, "/app/seen", b"1")
        report, vault = await park.report()
        assert report.failed.keys() == {"/app/hidden"}
        assert "NoAuth" in report.failed["/app/hidden"]
        assert any(node["path"] == "/app/seen" for node in nodes(vault))

        assert (await park.report(incomplete=True))[0].failed == {}

    async def test_digests_that_are_not_shown_are_noticed(self, park):
        mixed = [make_acl("world", "anyone", read=True), *secret("me:mine")]
        with park.zoo.visited("me:mine") as client:
            put(client, "/app", b"1", mixed)
        report, _ = await park.report()
        assert "digests" in report.failed["/app"]
        _, vault = await park.report(incomplete=True)
        now = park.zoo.content("/app")
        with pytest.raises(StorageError, match="lacks digests"):
            await park.restored(vault)

        assert park.zoo.content("/app") == now

    async def test_a_restore_without_rights_touches_nothing(self, park):
        with park.zoo.visited("me:mine") as client:
            put(client, "/app/open", b"then")
            put(client, "/app/closed/x", b"then")
            vault = await park.backed_up()
            client.set("/app/open", b"now")
            client.set("/app/closed/x", b"now")
            readable = [make_acl("world", "anyone", read=True)]
            client.set_acls("/app/closed/x", readable)
            client.create("/app/closed/surplus")
            client.set_acls("/app/closed", readable)
        now = park.zoo.content("/app")
        with pytest.raises(StorageError, match=r"NoAuth.*nothing was touched"):
            await park.restored(vault)

        assert park.zoo.content("/app") == now
        told = park.listener.text
        for path in ("/app/closed/x", "/app/closed", "/app/closed/surplus"):
            assert f"would be refused: {path}: " in told

    async def test_what_the_servers_do_not_take_touches_nothing(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/x", b"then")
        vault = await park.backed_up()
        rewritten(vault, "/app/x", acl=["nobody-knows:this:cdrwa"])
        with park.zoo.visited() as client:
            client.set("/app/x", b"now")
        with pytest.raises(StorageError, match=r"InvalidACL.*nothing was touched"):
            await park.restored(vault)
        assert park.zoo.content("/app")["x"][0] == b"now"

        rewritten(vault, "/app/x", acl=["world:anyone:cdrwa"], data="A" * (4 << 20))
        with pytest.raises(StorageError, match=r"jute\.maxbuffer.*nothing was touched"):
            await park.restored(vault)
        assert park.zoo.content("/app")["x"][0] == b"now"

    async def test_a_name_that_is_not_there(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/x", b"1")
        vault = await park.backed_up()
        with pytest.raises(NotFound, match="no node nope"):
            await park.restored(vault, databases=["nope"])
        with pytest.raises(NotFound, match="app/nope"):
            await park.restored(vault, databases=["app/nope"])

    async def test_the_vault_stays_as_it_is(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/x", b"1")
        vault = await park.backed_up()
        before = {path: data for path, (_, data) in vault.held.items()}
        park.zoo.clear()
        await park.restored(vault)

        folder = vault._data
        files = {p for p in folder.rglob("*") if p.is_file()}
        assert {str(p.relative_to(folder)): p.read_bytes() for p in files} == {
            path: data for path, data in before.items() if data
        }

    async def test_a_damaged_vault_touches_nothing(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/x", b"1")
        vault = await park.backed_up()
        vault.damaged.add("roots/app.jsonl")
        park.zoo.clear()
        with pytest.raises(StorageError, match="not what was stored"):
            await park.restored(vault)

        assert "app" not in park.zoo.content("/")


class TestWhatMoves:
    async def test_what_holds_still_was_so_at_one_transaction(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/x", b"1")
            newest = client.last_zxid
        report, _ = await park.report()
        said = report.origin["consistency"]

        assert (said["consistent"], said["moved"], report.torn) == (True, 0, [])
        assert newest <= said["begun"] <= said["surveyed"] <= said["ended"]

    async def test_what_moved_is_named_and_is_as_it_was_at_one_moment(self, park):
        with park.zoo.visited() as client:
            for number in range(30):
                put(client, f"/app/n{number}/x", b"then")
            moved = iter([True])

            def move() -> None:
                if park.listener.told and next(moved, False):
                    client.set("/app/n3", b"now")
                    client.delete("/app/n4", recursive=True)
                    put(client, "/app/n5/new/deep", b"new")
                    client.delete("/app/n6", recursive=True)
                    put(client, "/app/n6/other", b"again")
                    client.set_acls(
                        "/app/n7", [make_acl("world", "anyone", all=True)] * 1
                    )
                    client.create("/later")

            park.listener = Listener(move)
            report, vault = await park.report("app")
        now = park.zoo.content("/app")
        said = report.origin["consistency"]
        assert report.failed == {}
        assert not said["consistent"]
        assert {"/app", "/app/n3", "/app/n4", "/app/n5/new", "/app/n6/other"} <= set(
            said["moved_nodes"]
        )
        assert "/app/n8" not in said["moved_nodes"]
        assert said["begun"] < said["ended"]
        park.zoo.clear()
        await park.restored(vault)

        assert park.zoo.content("/app") == now

    async def test_a_backup_may_be_asked_to_be_consistent(self, park):
        with park.zoo.visited() as client:
            put(client, "/app/x", b"then")
            times = iter([True])

            def move() -> None:
                if park.listener.told and next(times, False):
                    client.set("/app/x", b"now")

            park.listener = Listener(move)
            report, _ = await park.report(consistent=True)

        assert "1 nodes moved" in report.failed["/app/x"]

    async def test_what_somebody_changes_during_a_restore_is_settled(self, park):
        with park.zoo.visited() as client:
            for number in range(20):
                put(client, f"/app/n{number}", b"then")
            vault = await park.backed_up()
            for number in range(20):
                client.set(f"/app/n{number}", b"now")
            times = iter([True])

            def move() -> None:
                if park.listener.told and next(times, False):
                    client.set("/app/n7", b"later")
                    client.create("/app/surplus")

            park.listener = Listener(move)
            await park.restored(vault)

        found = park.zoo.content("/app")
        assert {data for data, _ in found.values()} == {b"then", b""}
        assert len(found) == 21

    async def test_unchanged_trees_are_the_same_files(self, park):
        with park.zoo.visited() as client:
            put(client, "/still/x", b"1")
            put(client, "/busy/x", b"1")
            one = await park.backed_up()
            client.set("/busy/x", b"2")
            two = await park.backed_up()

        assert one.held["roots/still.jsonl"][1] == two.held["roots/still.jsonl"][1]
        assert one.held["roots/busy.jsonl"][1] != two.held["roots/busy.jsonl"][1]


class TestTakingBack:
    async def test_what_cannot_be_finished_is_taken_back(self, park, monkeypatch):
        vault, now = await started(park)
        broken_after(monkeypatch, 1)
        with pytest.raises(StorageError, match="everything is as it was before"):
            await park.restored(vault)

        assert park.zoo.content("/app") == now

    async def test_what_was_cut_off_is_taken_back_by_the_next_job(
        self, park, monkeypatch
    ):
        vault, now = await started(park)
        broken_after(monkeypatch, 1, error=KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            await park.restored(vault)
        monkeypatch.undo()
        assert park.zoo.content("/app") != now
        assert await park.source().mend(park.listener)

        assert park.zoo.content("/app") == now
        assert "/app is as it was before it" in park.listener.text
        assert await park.source().mend(park.listener) == ""

    async def test_what_is_called_off_is_taken_back(self, park):
        vault, now = await started(park)
        begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def heard() -> None:
            if any(one.phase == "writing" for one in park.listener.told):
                loop.call_soon_threadsafe(begun.set)

        park.listener = Listener(heard)
        task = asyncio.create_task(park.restored(vault))
        await asyncio.wait_for(begun.wait(), 60)
        task.cancel()
        await asyncio.wait([task], timeout=60)

        assert task.cancelled()
        assert park.zoo.content("/app") == now

    async def test_a_dry_run_leaves_nothing(self, park):
        vault, now = await started(park)
        await park.restored(vault, dry_run=True)

        assert park.zoo.content("/app") == now
        assert not [*park.keep.rglob("*.jsonl")]

    async def test_what_was_there_is_kept_after_a_restore(self, park):
        vault, _ = await started(park)
        report = await park.restored(vault)
        kept = Path(report.origin["kept"])

        lines = [
            json.loads(line) for line in (kept / "0.jsonl").read_text().splitlines()
        ]
        assert "/app/n3" in {line["path"] for line in lines}
        assert await park.source().mend(park.listener) == ""

    async def test_a_restore_is_taken_back_and_done_again(self, park):
        vault, before = await started(park)
        await park.restored(vault)
        then = park.zoo.content("/app")
        undo = {"mode": "undo"}
        dry = await park.restored(vault, variables=undo, dry_run=True)
        assert "create /app/surplus" in dry.plan
        assert park.zoo.content("/app") == then
        report = await park.restored(vault, variables=undo)
        assert (park.zoo.content("/app"), report.databases) == (before, ["app"])
        await park.restored(vault, variables=undo)
        assert park.zoo.content("/app") == then

    async def test_what_was_not_there_before_is_gone_when_it_is_taken_back(self, park):
        vault, _ = await started(park)
        await park.restored(vault, names={"app": "new"})
        assert park.zoo.content("/new")
        await park.restored(vault, variables={"mode": "undo"})

        assert "new" not in park.zoo.content("/")

    async def test_what_nobody_kept_cannot_be_taken_back(self, park):
        vault, _ = await started(park)
        undo = {"mode": "undo"}
        with pytest.raises(NotFound, match="nothing is kept of what was there before"):
            await park.restored(vault, variables=undo)
        with pytest.raises(BadRequest, match="leave out what"):
            await park.restored(vault, variables=undo, databases=["app"])
        for _ in range(4):
            await park.restored(vault)
            park.zoo.clear()
        await park.restored(vault, variables=undo)


async def started(park: Park) -> tuple[FolderVault, Any]:
    """Have a vault whose restore takes several batches."""
    park.said["packet"] = 4000
    with park.zoo.visited() as client:
        for number in range(30):
            put(client, f"/app/n{number}", b"then" * 200)
        vault = await park.backed_up("app")
        for number in range(30):
            client.set(f"/app/n{number}", b"now")
        put(client, "/app/surplus/x", b"1")
    return vault, park.zoo.content("/app")


def broken_after(monkeypatch, batches: int, error: type[BaseException] | None = None):
    """Have writing fail once that many batches are done, until it is undone."""
    true = Applying._ended
    left = [batches]

    async def ended(self, under_way):
        await true(self, under_way)
        left[0] -= 1
        if left[0] == 0:
            raise (error or StorageError)("the disk of the servers is full")

    monkeypatch.setattr(Applying, "_ended", ended)


def nodes(vault: FolderVault) -> list[dict[str, Any]]:
    """Return all nodes of a vault."""
    found = []
    for path, (_, data) in vault.held.items():
        if path.startswith("roots/"):
            found += [json.loads(line) for line in data.splitlines()]
    return found


def rewritten(vault: FolderVault, path: str, **said: Any) -> None:
    """Have a node be otherwise in a vault."""
    for file, (item, data) in vault.held.items():
        lines = [json.loads(line) for line in data.splitlines() if file.endswith("l")]
        if any(line["path"] == path for line in lines):
            new = [line | said if line["path"] == path else line for line in lines]
            text = b"".join(json.dumps(line).encode() + b"\n" for line in new)
            vault.held[file] = (item, text)
