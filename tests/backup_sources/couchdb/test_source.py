"""A CouchDB that is written to, fails, and is brought back, revision by revision."""

import asyncio
import base64
import json
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.backup_sources.contract import Around
from syncd.backup_sources.couchdb import shown
from syncd.backup_sources.couchdb.holding import Held
from syncd.backup_sources.couchdb.options import CouchDBOptions
from syncd.backup_sources.couchdb.source import CouchDB
from syncd.core.backup import Report, Restoring, Wanted
from syncd.core.vault import Item
from syncd.errors import BadRequest, NotFound, StorageError
from tests.backup_sources.conftest import Staged
from tests.backup_sources.couchdb.proxies import CuttingProxy
from tests.backup_sources.fakes import FolderVault, Listener
from tests.peers import couchdb
from tests.peers.couchdb import Couch, Writer

NAMES = {"components": "comp", "system": "sys"}


class Bench:
    """A source on the server, and vaults that are made of it."""

    def __init__(self, couch: Couch, stage: Staged, scratch: Path) -> None:
        self.couch = couch
        self.stage = stage
        self.listener = Listener()
        self._scratch = scratch
        couch.faults()
        for name in (*NAMES.values(), "other"):
            couch.ask("DELETE", name)
        couch.create(*NAMES.values())

    def source(self, **options: Any) -> CouchDB:
        given = {"url": self.couch.url, "databases": NAMES, "patience": 30, **options}
        said = CouchDBOptions(**given).model_dump()
        return CouchDB.create(said, Around(scratch=self._scratch))

    async def back_up(self, **options: Any) -> tuple[FolderVault, Report]:
        into = self.stage()
        report = await self.source(**options).back_up(Wanted(), into, self.listener)
        assert report.failed == {}
        return into.sealed(listed=report.databases), report

    async def restore(
        self, vault: FolderVault, *, options: Any = None, **wanted: Any
    ) -> Report:
        source = self.source(**(options or {}))
        return await source.restore(Restoring(**wanted), vault, self.listener)

    def sent(self, document: Any) -> FolderVault:
        """Return a vault of a backup that somebody sent."""
        into = self.stage()
        content = BytesIO(json.dumps(document).encode())
        into.add(Item(path="document.json"), content)
        vault: FolderVault = into.sealed()
        return vault


@pytest.fixture
def bench(couch: Couch, stage: Staged, tmp_path: Path) -> Bench:
    return Bench(couch, stage, tmp_path / "scratch")


def kept(vault: FolderVault, name: str) -> dict[str, dict[str, Any]]:
    """Return what a vault has of a database: what is read, by id."""
    found = {}
    for record in Held(vault).records(name):
        for leaf in () if record.dead else record.leaves:
            doc = msgspec.json.decode(leaf)
            if doc["_rev"] == record.winner:
                found[record.id] = doc
    return found


def documents(vault: FolderVault, name: str) -> dict[str, list[Any]]:
    """Return all leaves of all documents, in the order in which they are kept."""
    return {
        record.id: [msgspec.json.decode(leaf) for leaf in record.leaves]
        for record in Held(vault).records(name)
    }


def conflicted(couch: Couch, name: str, id_: str) -> None:
    """Write a document with two leaves that live, and one that was deleted."""
    revisions: list[tuple[list[str], dict[str, Any]]] = [
        (["aa", "00"], {"word": "lost"}),
        (["bb", "00"], {"word": "won"}),
        (["cc", "00"], {"_deleted": True}),
    ]
    docs = [
        {
            "_id": id_,
            "_rev": f"2-{ids[0]}",
            "_revisions": {"start": 2, "ids": ids},
            **more,
        }
        for ids, more in revisions
    ]
    couch.write(name, docs, new_edits=False)


class TestTrees:
    async def test_every_revision_comes_back_into_a_fresh_database(self, bench):
        couch = bench.couch
        conflicted(couch, "comp", "torn")
        for number in range(3):
            couch.put("comp", "edited", number=number)
        couch.put("comp", "gone", word="a")
        couch.delete("comp", "gone")
        data = base64.b64encode(bytes(range(256)) * 600).decode()
        file = {"content_type": "application/octet-stream", "data": data}
        couch.put("sys", "large", _attachments={"a/b é": file, "two": file})
        before = {name: couch.trees(name) for name in NAMES.values()}
        dumps = couchdb.dumped(couch, "comp")
        vault, report = await bench.back_up()
        for name in NAMES.values():
            couch.ask("DELETE", name)
        done = await bench.restore(vault)

        assert done.failed == {}
        assert {name: couch.trees(name) for name in NAMES.values()} == before
        assert couchdb.dumped(couch, "comp") == dumps
        again, _ = await bench.back_up()
        for name in NAMES.values():
            assert documents(again, name) == documents(vault, name)
        assert before["comp"]["torn"]["winner"] == "2-bb"
        assert set(before["comp"]["torn"]) == {"2-aa", "2-bb", "2-cc", "winner"}
        assert report.origin["documents"] == 3
        attached = [path for path in vault.held if "/attachments/" in path]
        assert len(attached) == 1  # by its content

    async def test_numbers_stay_as_they_were_written(self, bench):
        await asyncio.to_thread(
            bench.couch.write, "comp", [{"_id": "n", "list": [0.1, 1e300, 2**53]}]
        )
        vault, _ = await bench.back_up()
        bench.couch.create("comp")
        await bench.restore(vault, databases=["comp"])

        assert bench.couch.docs("comp")["n"]["list"] == [0.1, 1e300, 2**53]

    async def test_what_is_as_it_was_is_left_alone(self, bench):
        conflicted(bench.couch, "comp", "torn")
        bench.couch.put("comp", "x", word="a")
        before = bench.couch.trees("comp")
        vault, _ = await bench.back_up()
        report = await bench.restore(vault)

        assert report.changed["unchanged"] == 2
        assert report.changed["replaced"] == report.changed["created"] == 0
        assert bench.couch.trees("comp") == before

    async def test_the_same_documents_make_the_same_files(self, bench):
        some = [{"_id": f"doc {number}", "n": number} for number in range(1000)]
        bench.couch.write("comp", some)
        first, _ = await bench.back_up()
        bench.couch.put("comp", "doc 7", n="another")
        second, _ = await bench.back_up()
        files = [
            {(path, data) for path, (_, data) in vault.held.items() if "/docs/" in path}
            for vault in (first, second)
        ]

        assert len(files[0]) > 3
        assert len(files[1] - files[0]) == 1

    async def test_types_that_are_left_out_are_not_touched(self, bench):
        bench.couch.put("sys", "live", type="session_athena")
        bench.couch.put("sys", "x", word="a")
        vault, report = await bench.back_up()
        bench.couch.put("sys", "x", word="b")
        await bench.restore(vault, delete=True)

        assert set(kept(vault, "sys")) == {"x"}
        assert set(bench.couch.docs("sys")) == {"live", "x"}
        assert report.origin["databases"]["sys"]["docs"] == 1


class TestMoments:
    async def test_what_is_written_meanwhile_is_in_it_or_not_but_never_half(
        self, bench
    ):
        ids = [f"doc {number:04}" for number in range(3000)]
        bench.couch.write("comp", [{"_id": id_, "n": 0} for id_ in ids])
        with Writer(bench.couch, "comp", ids) as writer:
            vault, _ = await bench.back_up()
            rounds = writer.rounds
        docs = kept(vault, "comp")
        new = sorted(id_ for id_ in docs if id_.startswith("new"))

        # A round edits a document, adds one, and each third deletes: in this order.
        assert rounds > 0
        last = len(new)
        assert new == [f"new {number:05}" for number in range(last)]
        told = {number * 7 % 3000: number for number in range(last - 1)}
        for place, number in told.items():
            id_ = ids[place]
            if number % 3 == 0:
                assert id_ not in docs
            else:
                assert docs[id_]["round"] == number

    async def test_what_is_deleted_while_it_is_read_is_not_in_it(self, bench):
        couch = bench.couch
        couch.write("comp", [{"_id": f"doc {n}"} for n in range(10)])
        couch.put("sys", "x", word="a")

        def between() -> None:
            if bench.listener.lines[-1:] == ["reading sys"]:
                bench.listener._on = lambda: None
                couch.delete("comp", "doc 3")
                couch.put("comp", "doc 4", word="new")

        bench.listener._on = between
        vault, report = await bench.back_up()

        assert "doc 3" not in kept(vault, "comp")
        assert kept(vault, "comp")["doc 4"]["word"] == "new"
        assert report.origin["databases"]["comp"]["deleted"] == 1
        assert report.origin["window_ms"] >= 0


class TestStates:
    async def changed(self, bench: Bench) -> FolderVault:
        couch = bench.couch
        for id_ in ("same", "edited", "deleted", "again"):
            couch.put("comp", id_, word="then")
        vault, _ = await bench.back_up()
        couch.put("comp", "edited", word="now")
        couch.delete("comp", "deleted")
        couch.delete("comp", "again")
        couch.put("comp", "again", word="anew")
        couch.put("comp", "added", word="now")
        return vault

    def words(self, bench: Bench) -> dict[str, str]:
        return {id_: doc["word"] for id_, doc in bench.couch.docs("comp").items()}

    async def test_merging_deletes_nothing(self, bench):
        vault = await self.changed(bench)
        report = await bench.restore(vault)

        then = dict.fromkeys(("same", "edited", "deleted", "again"), "then")
        assert self.words(bench) == {**then, "added": "now"}
        assert report.failed == {}
        counts = ("created", "replaced", "unchanged", "deleted")
        assert [report.changed[count] for count in counts] == [1, 2, 1, 0]

    async def test_exactly_is_exactly(self, bench):
        vault = await self.changed(bench)
        before = bench.couch.trees("comp")["same"]["winner"]
        conflicted(bench.couch, "comp", "same")
        report = await bench.restore(vault, delete=True)

        assert self.words(bench) == dict.fromkeys(
            ("same", "edited", "deleted", "again"), "then"
        )
        assert report.changed["deleted"] == 1
        leaves = bench.couch.trees("comp")["same"]
        winner = leaves.pop("winner")
        assert winner == before
        assert [rev for rev, doc in leaves.items() if "_deleted" not in doc] == [winner]

    async def test_a_dry_run_foresees_it(self, bench):
        vault = await self.changed(bench)
        before = bench.couch.trees("comp")
        foreseen = await bench.restore(vault, delete=True, dry_run=True)
        assert bench.couch.trees("comp") == before
        done = await bench.restore(vault, delete=True)

        assert foreseen.changed == done.changed
        assert "delete comp/added" in foreseen.plan
        assert "replace comp/edited" in foreseen.plan

    async def test_adjacent_ids_are_skipped_alike(self, bench):
        vault = await self.changed(bench)
        bench.couch.delete("comp", "again")
        skip = {"comp": ["again", "deleted"]}
        report = await bench.restore(vault, variables={"skip": skip})

        assert set(self.words(bench)) == {"added", "edited", "same"}
        assert report.changed["skipped"] == 2

    async def test_to_another_name_that_is_made(self, bench):
        bench.couch.put("comp", "x", word="a")
        vault, _ = await bench.back_up()
        await bench.restore(vault, databases=["comp"], names={"comp": "other"})

        assert bench.couch.docs("other") == bench.couch.docs("comp")

    @pytest.mark.parametrize("skip", ["x", ["x"], {"comp": "x"}, {"comp": [1]}])
    async def test_what_is_to_be_skipped_is_said_rightly(self, bench, skip):
        vault, _ = await bench.back_up()
        with pytest.raises(BadRequest, match="skip"):
            await bench.restore(vault, variables={"skip": skip})

    @pytest.mark.parametrize("name", ["Big", "a b", "../x", "1a"])
    async def test_names_that_no_database_has(self, bench, name):
        vault, _ = await bench.back_up()
        with pytest.raises(BadRequest, match="name"):
            await bench.restore(vault, databases=["comp"], names={"comp": name})


def deflated(docs: Any) -> str:
    return base64.b64encode(zlib.compress(json.dumps(docs).encode())).decode()


class TestSent:
    """Backups that somebody sends: of both generations."""

    def document(self, docs: list[Any], *, compressed: bool) -> Any:
        if not compressed:
            return {"dbs": {"comp": {"docs": docs}}}
        return {"dbs": {"comp": {"docs": [], "compressed_docs": deflated(docs)}}}

    @pytest.mark.parametrize("compressed", [False, True])
    @pytest.mark.parametrize("full", [False, True])
    async def test_the_last_of_several_wins(self, bench, compressed, full):
        if full:
            bench.couch.put("comp", "x", word="there")
            bench.couch.put("comp", "stays", word="there")
        docs = [
            {"_id": "x", "_rev": "1-old", "word": "first"},
            {"_id": "y", "_rev": "9-old", "word": "y"},
            {"_id": "x", "_rev": "2-old", "word": "last"},
        ]
        vault = bench.sent(self.document(docs, compressed=compressed))
        report = await bench.restore(vault)
        again = await bench.restore(vault)

        words = {id_: doc["word"] for id_, doc in bench.couch.docs("comp").items()}
        assert words == {"x": "last", "y": "y", **({"stays": "there"} if full else {})}
        assert report.failed == {}
        assert again.changed["unchanged"] == 2

    async def test_what_was_deleted_comes_back(self, bench):
        bench.couch.put("comp", "x", word="a")
        bench.couch.delete("comp", "x")
        vault = bench.sent(self.document([{"_id": "x", "word": "b"}], compressed=False))
        await bench.restore(vault)

        assert bench.couch.docs("comp")["x"]["word"] == "b"

    async def test_attachments_that_are_only_named(self, bench):
        stub = {"content_type": "a/b", "digest": "md5-x", "stub": True, "revpos": 1}
        doc = {"_id": "x", "word": "a", "_attachments": {"gone": stub}}
        vault = bench.sent(self.document([doc], compressed=False))
        report = await bench.restore(vault)

        assert report.failed == {}
        assert bench.couch.docs("comp")["x"] == {"_id": "x", "word": "a"}
        assert "does not hold this attachment" in bench.listener.text

    async def test_attachments_that_are_in_it(self, bench):
        file = {"content_type": "text/plain", "data": "YnVi"}
        doc = {"_id": "x", "_attachments": {"it": file}}
        vault = bench.sent(self.document([doc], compressed=False))
        await bench.restore(vault)

        there = bench.couch.docs("comp")["x"]["_attachments"]["it"]
        assert there["data"] == "YnVi"

    async def test_attachments_of_which_the_server_has_another_digest(
        self, bench, monkeypatch
    ):
        # As a CouchDB has that packs texts.
        from syncd.backup_sources.couchdb import comparing

        monkeypatch.setattr(comparing, "_digest", lambda data: "md5-other")
        bench.couch.put("comp", "there", word="now")
        file = {"content_type": "text/plain", "data": "YnVi"}
        docs = [{"_id": id_, "_attachments": {"it": file}} for id_ in ("there", "x")]
        vault = bench.sent(self.document(docs, compressed=False))
        report = await bench.restore(vault)

        assert report.failed == {}
        revisions = {
            id_: tree["winner"][:2] for id_, tree in bench.couch.trees("comp").items()
        }
        assert revisions == {"there": "2-", "x": "1-"}
        assert (report.changed["created"], report.changed["replaced"]) == (1, 1)
        there = bench.couch.docs("comp")
        assert there["x"]["_attachments"]["it"]["data"] == "YnVi"

    async def test_one_that_no_server_takes_is_named_and_the_others_are_there(
        self, bench
    ):
        docs = [{"_id": f"x{n}", "word": "a"} for n in range(20)]
        docs.insert(7, {"_id": "_bad", "word": "b"})
        vault = bench.sent(self.document(docs, compressed=False))
        report = await bench.restore(vault)

        assert "'_bad'" in report.failed["comp"]
        assert len(bench.couch.docs("comp")) == 20

    @pytest.mark.parametrize(
        "said",
        [
            {},
            {"dbs": 7},
            {"dbs": {"comp": 7}},
            {"dbs": {"comp": {"compressed_docs": "?"}}},
            {"dbs": {"comp": {"compressed_docs": "eJw="}}},
            {"dbs": {"comp": {"compressed_docs": deflated([7])}}},
            {"dbs": {"comp": {"compressed_docs": deflated({})}}},
            {"dbs": {"comp": {"docs": [{"word": "without an id"}]}}},
        ],
    )
    async def test_what_is_no_backup_is_refused_before_anything_is_written(
        self, bench, said
    ):
        docs = [{"_id": "x"}]
        if isinstance(said.get("dbs"), dict):
            said = {"dbs": {"sys": {"docs": docs}, **said["dbs"]}}
        with pytest.raises(BadRequest):
            await bench.source().listed(bench.sent(said))
        with pytest.raises(BadRequest):
            await bench.restore(bench.sent(said))
        assert bench.couch.docs("sys") == {}


class TestVariables:
    async def test_what_was_made_is_deleted_again_when_it_fails(self, bench):
        bench.couch.put("comp", "there", word="now")
        docs = [{"_id": f"x{n}", "word": "a"} for n in range(5)]
        docs += [{"_id": "there", "word": "then"}, {"_id": "_bad"}]
        vault = bench.sent({"dbs": {"comp": {"docs": docs}}})
        report = await bench.restore(vault, variables={"undo": True})

        assert report.failed
        assert set(bench.couch.docs("comp")) == {"there"}

    async def test_so_it_is_when_the_vault_lacks_something(self, bench, monkeypatch):
        file = {"content_type": "a/b", "data": "YnVi" * 30_000}
        bench.couch.put("comp", "small", word="a")
        bench.couch.put("sys", "large", _attachments={"it": file})
        vault, _ = await bench.back_up()
        bench.couch.create("comp", "sys")

        def lacking(self, name, digest):
            raise NotFound(f"the vault lacks the attachment {digest}")

        monkeypatch.setattr(Held, "file", lacking)
        report = await bench.restore(vault, variables={"undo": True})

        assert "lacks the attachment" in report.failed["sys"]
        assert bench.couch.docs("comp") == {}

    async def test_a_backup_may_lack_what_there_is_not(self, bench):
        bench.couch.ask("DELETE", "sys")
        bench.couch.put("comp", "x", word="a")
        wanted = Wanted(variables={"missing": True})
        report = await bench.source().back_up(wanted, bench.stage(), bench.listener)

        assert report.databases == ["comp"]

    async def test_the_white_list_is_made_anew(self, bench):
        docs: dict[str, dict[str, Any]] = {
            "a": {"type": "fabric-ca", "ca_url": "https://ca.example.com:7054"},
            "b": {
                "type": "fabric-peer",
                "api_url": "grpcs://peer1.example.com:7051",
                "grpcwp_url": "http://proxy.example.com",
                "operations_url": "ops.example.com",
            },
            "c": {"type": "other", "api_url": "https://no.example.com"},
            "d": {
                "type": "signature_collection",
                "orgs2sign": [{"peers": ["https://peer2.example.com", 7]}, 1],
            },
        }
        for id_, more in docs.items():
            bench.couch.put("comp", id_, **more)
        settings = {"deployer_url": "http://example.com", "word": "a"}
        bench.couch.put("sys", "00_settings_athena", **settings)
        vault, _ = await bench.back_up()
        said = {"white_list": {"components": "comp", "system": "sys"}}
        await bench.restore(vault, variables=said)
        once = bench.couch.trees("sys")
        await bench.restore(vault, variables=said)
        doc = bench.couch.docs("sys")["00_settings_athena"]

        assert doc.pop("url_safe_list") == [
            "example.com:80",
            "ca.example.com:7054",
            "peer1.example.com:7051",
            "proxy.example.com:80",
            "ops.example.com:443",
            "peer2.example.com:443",
        ]
        assert doc == {"_id": "00_settings_athena", **settings}
        assert "made anew" in bench.listener.text
        assert once != bench.couch.trees("sys")  # restored, and listed again

    async def test_without_components_the_list_stays(self, bench):
        bench.couch.put("sys", "00_settings_athena", url_safe_list=["a:1"])
        vault, _ = await bench.back_up()
        said = {"white_list": {"components": "comp", "system": "sys"}}
        await bench.restore(vault, variables=said)

        assert bench.couch.docs("sys")["00_settings_athena"]["url_safe_list"] == ["a:1"]


class TestShown:
    async def test_a_document_of_what_is_read(self, bench):
        conflicted(bench.couch, "comp", "torn")
        bench.couch.put("comp", "gone", word="a")
        bench.couch.delete("comp", "gone")
        data = base64.b64encode(bytes(range(256)) * 600).decode()
        file = {"content_type": "a/b", "data": data}
        bench.couch.put("sys", "large", _attachments={"it": file}, z=1, a=[1.5])
        vault, _ = await bench.back_up()
        heads = {"sys": {"start_timestamp": 1}, "comp": {"finish_timestamp": 2}}
        said = b"".join(shown.databases({"heads": heads}, vault))
        found = json.loads(said)

        assert list(found) == ["sys", "comp"]
        assert found["comp"] == {
            "finish_timestamp": 2,
            "docs": [{"_id": "torn", "_rev": "2-bb", "word": "won"}],
        }
        (doc,) = found["sys"]["docs"]
        assert doc["_attachments"]["it"]["data"] == data
        bench.couch.create("comp", "sys")
        report = await bench.restore(bench.sent({"dbs": found}))
        assert report.failed == {}
        there = bench.couch.docs("sys")["large"]
        assert there["_attachments"]["it"]["data"] == data


READS = ["", "comp$", "_changes", "_bulk_get", "large/", "_security"]
WRITES = ["PUT /comp$", "_changes", "_bulk_docs"]


class TestFaults:
    def filled(self, bench: Bench) -> None:
        data = base64.b64encode(b"word" * 40_000).decode()
        file = {"content_type": "text/plain", "data": data}
        bench.couch.put("comp", "large", _attachments={"it": file})
        bench.couch.put("comp", "x", word="a")

    @pytest.mark.parametrize("path", READS)
    @pytest.mark.parametrize("how", ["status", "drop"])
    async def test_what_passes_is_waited_for(self, bench, path, how):
        self.filled(bench)
        fault = {"status": 503} if how == "status" else {"drop": True}
        bench.couch.faults({"path": path, "times": 2, **fault})
        vault, _ = await bench.back_up()

        assert set(kept(vault, "comp")) == {"large", "x"}
        assert "trying again" in bench.listener.text

    @pytest.mark.parametrize("path", READS[:-1])
    async def test_what_does_not_pass_is_never_a_success(self, bench, path):
        self.filled(bench)
        bench.couch.faults({"path": path, "status": 503})
        with pytest.raises(StorageError, match="503"):
            await bench.back_up(patience=0.3)

    async def test_an_answer_that_is_cut_off_is_asked_for_again(self, bench):
        self.filled(bench)
        async with CuttingProxy(bench.couch.port, [40, 0, -1, 200, 300]) as proxy:
            vault, _ = await bench.back_up(url=proxy.url)

        assert set(kept(vault, "comp")) == {"large", "x"}
        assert proxy.cuts == []

    async def test_slowness_is_borne_as_long_as_is_said(self, bench):
        self.filled(bench)
        bench.couch.faults({"path": "_bulk_get", "delay_ms": 700, "times": 1})
        await bench.back_up(timeout=60)
        bench.couch.faults({"path": "_bulk_get", "delay_ms": 60_000, "times": 1})
        with pytest.raises(StorageError, match="Timeout"):
            await bench.back_up(timeout=0.3, patience=0)

    @pytest.mark.parametrize("path", WRITES)
    async def test_a_restore_waits_for_what_passes(self, bench, path):
        self.filled(bench)
        before = bench.couch.trees("comp")
        vault, _ = await bench.back_up()
        bench.couch.create("comp")
        if path.startswith("PUT"):
            bench.couch.ask("DELETE", "comp")
        method, _, where = path.rpartition(" ")
        fault = {"path": where, "drop": True, "times": 2}
        bench.couch.faults({**fault, **({"method": method} if method else {})})
        report = await bench.restore(vault, databases=["comp"])

        assert report.failed == {}
        assert bench.couch.trees("comp") == before

    @pytest.mark.parametrize("path", ["_changes", "_bulk_docs", "_all_docs"])
    async def test_so_does_one_that_writes_over_what_is_there(self, bench, path):
        bench.couch.put("comp", "x", word="then")
        vault, _ = await bench.back_up()
        bench.couch.put("comp", "x", word="now")
        bench.couch.faults({"path": path, "status": 503, "times": 2})
        report = await bench.restore(vault, databases=["comp"])

        assert report.failed == {}
        assert bench.couch.docs("comp")["x"]["word"] == "then"

    async def test_what_somebody_writes_meanwhile_is_below_what_was_restored(
        self, bench, monkeypatch
    ):
        from syncd.backup_sources.couchdb import restoring

        bench.couch.write("comp", [{"_id": f"x{n}", "word": "then"} for n in range(9)])
        vault, _ = await bench.back_up()
        bench.couch.create("comp")
        look_again = restoring.Restoring._look_again

        async def quicker(self, there):
            bench.couch.put("comp", "x3", word="now")
            await look_again(self, there)

        monkeypatch.setattr(restoring.Restoring, "_look_again", quicker)
        report = await bench.restore(vault, databases=["comp"])

        assert report.failed == {}
        assert report.changed["created"] == 9
        words = {doc["word"] for doc in bench.couch.docs("comp").values()}
        assert words == {"then"}
        assert bench.couch.trees("comp")["x3"]["winner"].startswith("3-")

    async def test_an_edit_whose_answer_was_lost_is_made_once(self, bench):
        bench.couch.put("comp", "x", word="then")
        vault, _ = await bench.back_up()
        bench.couch.put("comp", "x", word="now")
        # The third answer of _bulk_docs: after the survey and the revisions.
        async with CuttingProxy(bench.couch.port, [-1, -1, -1, -1, -1, 0]) as proxy:
            options = {"url": proxy.url}
            report = await bench.restore(vault, options=options, databases=["comp"])

        assert report.failed == {}
        assert proxy.cuts == []
        trees = bench.couch.trees("comp")["x"]
        assert trees["winner"].startswith("3-")
        assert trees[trees["winner"]]["word"] == "then"

    async def test_a_restore_that_is_refused_says_so(self, bench):
        self.filled(bench)
        vault, _ = await bench.back_up()
        bench.couch.create("comp")
        bench.couch.faults({"path": "_bulk_docs", "status": 500})
        report = await bench.restore(vault, options={"patience": 0.3})

        assert "500" in report.failed["comp"]
        assert report.databases == []

    async def test_a_database_that_is_not_there_is_named(self, bench):
        bench.couch.ask("DELETE", "sys")
        with pytest.raises(NotFound, match="sys"):
            await bench.back_up()
        health = await bench.source().health()

        assert health.reachable
        assert "sys" in health.detail

    async def test_who_may_not_come_is_told_at_once(self, stage, tmp_path):
        with Couch(login="keeper:secret") as couch:
            couch.create("comp", "sys")
            bench = Bench.__new__(Bench)
            bench.couch, bench.stage, bench.listener = couch, stage, Listener()
            bench._scratch = tmp_path / "scratch"
            with pytest.raises(StorageError, match="401"):
                await bench.back_up()
            vault, _ = await bench.back_up(user="keeper", password="secret")

        assert Held(vault).names == ["comp", "sys"]
        assert "secret" not in bench.listener.text

    async def test_large_documents_come_a_few_at_a_time(self, bench):
        docs = [{"_id": f"doc {n:02}", "word": "x" * 300_000} for n in range(30)]
        for start in range(0, 30, 10):
            bench.couch.write("comp", docs[start : start + 10])
        vault, _ = await bench.back_up(batch=1 << 16)

        assert len(kept(vault, "comp")) == 30
        bench.couch.create("comp")
        report = await bench.restore(vault, options={"batch": 1 << 16})
        assert report.changed["created"] == 30

    @pytest.mark.parametrize("given", [0, 2])
    async def test_a_revision_that_is_never_given_is_never_a_success(
        self, bench, monkeypatch, given
    ):
        from syncd.backup_sources.couchdb import reading

        monkeypatch.setattr(reading, "PAUSE", 0.001)
        conflicted(bench.couch, "comp", "x")
        got = reading.Reading._got

        async def lacking(self, some, how, *, alone):
            results, size = await got(self, some, how, alone=alone)
            assert len(results) == 3
            return results[:given], size

        monkeypatch.setattr(reading.Reading, "_got", lacking)
        with pytest.raises(StorageError, match="does not give a revision"):
            await bench.back_up()
