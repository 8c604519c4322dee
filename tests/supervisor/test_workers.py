"""Workers: real processes that do one thing and leave nothing behind."""

import asyncio
import io
import json
import os
import shutil
import signal
import zipfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from syncd.core.errand import Advance, Command, Deed, Done, Part, Work
from syncd.core.vault import Pin
from syncd.supervisor import content
from syncd.supervisor.supervisor import Supervisor
from syncd.vaults.local import LocalStore
from tests.supervisor.conftest import until


class Bench:
    """A supervisor without entries, a vault store and a scripted source."""

    def __init__(self, supervisor: Supervisor, folder: Path) -> None:
        self.workers = supervisor.workers
        self.folder = folder
        self.control = folder / "control.json"
        self.script(files={"db/a": "one"})

    def script(self, **said: Any) -> None:
        self.control.write_text(json.dumps({"files": {"db/a": "one"}, **said}))

    def work(self, deed: Deed, **more: Any) -> Work:
        given: dict[str, Any] = {
            "id": "job",
            "deed": deed,
            "store": Part(
                "syncd.vaults.described:local", {"path": str(self.folder / "vaults")}
            ),
            "source": Part(
                "tests.backup.sources:Scripted", {"control": str(self.control)}
            ),
            "source_name": "s",
            "vault": "20200101T000000",
            "log": str(self.folder / "log"),
            "scratch": str(self.folder / "scratch"),
            "made": 1.0,
        }
        return Work(**{**given, **more})

    @property
    def log(self) -> str:
        with suppress(FileNotFoundError):
            return (self.folder / "log").read_text()
        return ""


@pytest.fixture
async def bench(run: Path, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Supervisor(run, [], news=lambda *_: None, grace=1.0) as supervisor:
        yield Bench(supervisor, tmp_path)
        assert psutil.Process().children() == []


async def test_a_backup_a_look_a_check_and_its_end(bench: Bench):
    told: list[Advance] = []
    done = await bench.workers.run(bench.work(Deed.BACKUP), told=told.append)
    assert done.error == ""
    [made] = done.vaults
    assert (made.summary.listed, made.summary.files) == (["db"], 1)
    assert made.size > 0
    assert told[-1].logged == len(bench.log) > 0
    assert not (bench.folder / "scratch").exists()

    seen = await bench.workers.run(bench.work(Deed.SURVEY, vault=None))
    assert seen.result["names"] == ["20200101T000000"]
    assert seen.vaults[0].summary.name == made.summary.name
    store = LocalStore(bench.folder / "vaults")
    store.get("20200101T000000").verify(lambda _bytes, _items: None)
    looked = bench.work(Deed.SURVEY, vault=None, asked={"known": ["20200101T000000"]})
    seen = await bench.workers.run(looked)
    checked = store.checked("20200101T000000")
    assert checked is not None
    assert seen.vaults == []
    assert seen.result["checks"] == {"20200101T000000": [checked.at, []]}
    drill = await bench.workers.run(bench.work(Deed.DRILL))
    assert (drill.error, drill.vaults[0].proven is not None) == ("", True)
    asked = {"vaults": ["20200101T000000", "20300101T000000"]}
    gone = await bench.workers.run(bench.work(Deed.EVICT, vault=None, asked=asked))
    assert (gone.error, gone.gone) == ("", asked["vaults"])


async def test_nobody_is_told_that_a_vault_goes_which_stays(bench: Bench):
    await bench.workers.run(bench.work(Deed.BACKUP))
    name, store = "20200101T000000", LocalStore(bench.folder / "vaults")
    pin = Pin("audit", "me", 0.0)
    store.pin(name, pin)
    by_policy = bench.work(Deed.EVICT, vault=None, asked={"vaults": [name]})
    asked = {"vaults": [name], "force": True}
    by_force = bench.work(Deed.EVICT, vault=None, asked=asked)
    pinned = await bench.workers.run(by_policy)
    with store.lend(name, "a download"):
        lent = await bench.workers.run(by_force)

    for done, why in ((pinned, "audit"), (lent, "in use")):
        assert (done.reason, done.retry, done.gone) == ("conflict", False, [])
        assert why in done.error
    assert "is going" not in bench.log
    assert store.pins() == {name: pin}
    bench.script(fail="evicted")
    failed = await bench.workers.run(by_force)
    assert (failed.reason, failed.retry) == ("storage", True)
    assert store.pins() == {name: pin}
    bench.script()
    assert (await bench.workers.run(by_force)).gone == [name]
    assert "is going" in bench.log


@pytest.mark.parametrize("deed", [Deed.DRILL, Deed.RESTORE, Deed.VERIFY])
@pytest.mark.parametrize("part", ["packs/*", "contents.jsonl", "vault.json"])
async def test_whoever_meets_damage_tells_it(bench: Bench, deed: Deed, part: str):
    await bench.workers.run(bench.work(Deed.BACKUP))
    name = "20200101T000000"
    [file] = (bench.folder / "vaults" / "vaults" / name).glob(part)
    spoilt = bytearray(file.read_bytes())
    spoilt[spoilt.index(b"one" if "packs" in part else b'"')] ^= 1
    file.write_bytes(spoilt)
    asked = {"vault": name} if deed is Deed.RESTORE else {}
    done = await bench.workers.run(bench.work(deed, asked=asked))

    if (deed, part) == (Deed.RESTORE, "vault.json"):
        assert (done.error, done.vaults) == ("", [])  # it is not read for that
        return
    [view] = done.vaults
    assert done.reason == "damaged"
    assert view.summary.name == name
    assert view.damaged
    checked = LocalStore(bench.folder / "vaults").checked(name)
    assert checked is not None
    assert checked.faults


async def test_a_copy_under_another_name_takes_nobodys_place(bench: Bench):
    await bench.workers.run(bench.work(Deed.BACKUP))
    name, copy = "20200101T000000", "20200101T000000 (copy)"
    folder = bench.folder / "vaults" / "vaults"
    shutil.copytree(folder / name, folder / copy)
    seen = await bench.workers.run(bench.work(Deed.SURVEY, vault=None))

    views = {view.summary.name: view for view in seen.vaults}
    assert views.keys() == {name, copy}
    assert views[name].valid
    assert not views[copy].valid
    why = f"{copy} is a copy of vault {name}"
    assert why in str(views[copy].summary.failed)
    assert why in seen.result["unreadable"][copy]
    assert LocalStore(bench.folder / "vaults").checks() == {}
    asked = {"vaults": [copy]}
    gone = await bench.workers.run(bench.work(Deed.EVICT, vault=None, asked=asked))
    assert gone.gone == [copy]
    assert LocalStore(bench.folder / "vaults").vaults() == [name]


async def test_a_name_is_used_once_whatever_became_of_it(bench: Bench):
    bench.script(fail="back_up")
    failed = await bench.workers.run(bench.work(Deed.BACKUP))
    assert failed.vaults[0].summary.failed == "it does not want to"
    again = await bench.workers.run(bench.work(Deed.BACKUP))

    assert (again.reason, again.vaults) == ("conflict", [])


async def test_a_source_that_is_away_may_be_asked_again(bench: Bench):
    bench.script(away=True)
    done = await bench.workers.run(bench.work(Deed.BACKUP))

    assert (done.reason, done.retry) == ("unreachable", True)
    bench.script()
    assert (await bench.workers.run(bench.work(Deed.BACKUP))).error == ""


async def test_what_went_in_comes_out_as_a_zip_and_goes_in_again(
    bench: Bench, run: Path
):
    await bench.workers.run(bench.work(Deed.BACKUP))
    socket = run / "zip"
    sizes: list[int | None] = []
    asked = {"socket": str(socket)}
    giving = asyncio.create_task(
        bench.workers.run(
            bench.work(Deed.DOWNLOAD, asked=asked),
            told=lambda advance: sizes.append(advance.progress.total_bytes),
        )
    )
    await until(socket.exists)
    pieces = [piece async for piece in content.taken(await content.connected(socket))]
    assert (await giving).error == ""
    archive = b"".join(pieces)
    assert sizes[0] == len(archive)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.read("db/a") == b"one"

    sent = bench.folder / "sent.zip"
    sent.write_bytes(archive)
    sending: dict[str, Any] = {"archive": str(sent), "partial": False}
    taken = await bench.workers.run(
        bench.work(Deed.UPLOAD, vault="20210101T000000", asked=sending)
    )
    assert taken.error == ""
    assert taken.vaults[0].summary.listed == ["db"]
    assert not sent.exists()


@pytest.mark.parametrize("raw", [b"", b"no zip", b"PK\x03\x04 half of one"])
async def test_what_is_no_archive_makes_no_vault(bench: Bench, raw: bytes):
    sent = bench.folder / "sent.zip"
    sent.write_bytes(raw)
    asked = {"archive": str(sent), "partial": False}
    done = await bench.workers.run(bench.work(Deed.UPLOAD, asked=asked))

    assert (done.reason, done.vaults) == ("wrong", [])
    assert not sent.exists()


async def test_one_that_takes_too_long_is_ended(bench: Bench):
    bench.script(hang="back_up")
    done = await bench.workers.run(bench.work(Deed.BACKUP), seconds=2, grace=5)

    assert (done.error, done.reason) == ("it took longer than 2 s", "timeout")
    assert done.vaults[0].summary.failed


async def test_one_that_hears_nothing_is_killed_with_what_it_started(bench: Bench):
    left = bench.folder / "left"
    bench.script(deaf="back_up", fork=str(left))
    running = asyncio.create_task(bench.workers.run(bench.work(Deed.BACKUP), grace=0.2))
    await until(lambda: "hanging" in bench.log)
    await asyncio.sleep(1)  # Until its loop hears nothing any more.
    assert bench.workers.cancel("job", "why")
    done = await running

    assert done.reason == "died"
    assert not psutil.pid_exists(int(left.read_text()))
    assert not bench.workers.cancel("job", "why")


async def test_who_gives_up_waiting_ends_it(bench: Bench):
    bench.script(hang="back_up")
    running = asyncio.create_task(bench.workers.run(bench.work(Deed.BACKUP)))
    await until(lambda: "hanging" in bench.log)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert psutil.Process().children() == []


async def test_closing_ends_what_runs_and_starts_nothing_more(bench: Bench):
    bench.script(hang="back_up")
    running = asyncio.create_task(bench.workers.run(bench.work(Deed.BACKUP)))
    await until(lambda: "hanging" in bench.log)
    await bench.workers.close()

    assert (await running).error
    refused = await bench.workers.run(bench.work(Deed.BACKUP))
    assert refused == Done(error="syncd is stopping", reason="unavailable", retry=True)


async def test_secrets_and_our_environment_stay_with_us(bench: Bench, monkeypatch):
    monkeypatch.setenv("SYNCD_PASSWORD", "hush")
    show = Command(["sh", "-c", "env; echo hush"], 30.0)
    work = bench.work(Deed.BACKUP, secrets=["hush"], before=[show])
    assert (await bench.workers.run(work)).error == ""

    assert "SYNCD_PASSWORD" not in bench.log
    assert "SYNCD_JOB=job" in bench.log
    assert "hush" not in bench.log
    assert os.environ["SYNCD_PASSWORD"] == "hush"


def pids() -> list[int]:
    return [process.pid for process in psutil.Process().children()]


async def test_one_that_is_ready_does_whatever_comes_next_and_ends(bench: Bench):
    bench.workers.prepare(["syncd.vaults.local", "no.such.module"], 60)
    bench.workers.prepare([], 60)
    await until(lambda: bench.workers.ready)
    [ready] = pids()
    bench.script(hang="back_up")
    running = asyncio.create_task(bench.workers.run(bench.work(Deed.BACKUP)))
    await until(lambda: "hanging" in bench.log)

    assert (pids(), bench.workers.ready) == ([ready], False)
    assert bench.workers.cancel("job", "why")
    assert (await running).reason == "canceled"
    assert pids() == []


async def test_one_that_nobody_needs_ends_after_a_while(bench: Bench):
    bench.workers.prepare([], 1)
    await until(pids)
    await until(lambda: not pids())

    def is_ready() -> bool:
        # Not heeded until nothing is left of the one before.
        bench.workers.prepare([], 60)
        return bench.workers.ready

    await until(is_ready)
    await bench.workers.close()
    assert pids() == []


async def test_one_that_is_ready_and_dies_is_not_missed(bench: Bench):
    bench.workers.prepare([], 60)
    await until(lambda: bench.workers.ready)
    os.kill(pids()[0], signal.SIGKILL)
    await until(lambda: not bench.workers.ready)

    assert (await bench.workers.run(bench.work(Deed.BACKUP))).error == ""


async def test_one_that_is_not_ready_yet_is_waited_for(bench: Bench):
    bench.workers.prepare([], 60)
    bench.script(hang="back_up")
    running = asyncio.create_task(bench.workers.run(bench.work(Deed.BACKUP)))
    await until(lambda: "hanging" in bench.log)
    bench.workers.prepare([], 60)

    assert len(pids()) == 1
    bench.workers.cancel("job", "why")
    assert (await running).reason == "canceled"
    assert pids() == []


async def test_who_gives_up_at_once_leaves_none(bench: Bench):
    bench.workers.prepare([], 60)
    running = asyncio.create_task(bench.workers.run(bench.work(Deed.BACKUP)))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await until(lambda: not pids())
    await bench.workers.close()
    assert pids() == []
