"""Jobs on bad days: killed, hanging, deaf, forking, late, on a full disk."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import httpx
import psutil
import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.copying import Copying
from tests.faults.disks import small_disk


@pytest.fixture
def daemon() -> Iterator[Copying]:
    with Copying() as running:
        yield running.start()


def worker(daemon: Copying) -> psutil.Process:
    """Return the process that does the job; there must be one."""

    def found() -> list[psutil.Process]:
        return [
            process
            for process in daemon.processes()
            if "syncd.child.worker" in process.cmdline()
        ]

    workers = wait_for(found)
    assert len(workers) == 1
    process: psutil.Process = workers[0]
    return process


def hang(daemon: Copying, how: str, call: str) -> str:
    """Have a job hang and return its id; what is needed for it is done before."""
    if call == "back_up":
        daemon.script(**{how: call})
        job: str = daemon.back_up()["id"]
    else:
        vault = daemon.ended(daemon.back_up()["id"])["vault"]
        daemon.script(**{how: call})
        job = daemon.restore(vault)["id"]
    daemon.until_it_hangs(job)
    return job


def works_again(daemon: Copying) -> None:
    """Fail unless everything goes as if nothing had been."""
    daemon.script(hang=None, deaf=None, fork=None, fail=None)
    good = daemon.ended(daemon.back_up()["id"])
    assert (good["state"], good["error"]) == ("successful", "")
    restored = daemon.ended(daemon.restore(good["vault"])["id"])
    assert (restored["state"], restored["error"]) == ("successful", "")
    proven = daemon.ended(daemon.ask("POST", f"/backups/{good['vault']}/drill")["id"])
    assert (proven["state"], proven["error"]) == ("successful", "")


@pytest.mark.parametrize("call", ["back_up", "restore"])
def test_a_killed_worker_fails_its_job_and_no_other(daemon: Copying, call: str):
    job = hang(daemon, "hang", call)
    worker(daemon).kill()

    ended = daemon.ended(job)

    assert (ended["state"], ended["reason"]) == ("failed", "died")
    assert "SIGKILL" in ended["error"]
    if call == "back_up":
        aside = wait_for(lambda: daemon.ask("GET", "/backups")["aside"])
        assert aside == [ended["vault"]]
        assert daemon.vaults() == []
        daemon.ask("DELETE", f"/backups/{ended['vault']}")
        assert daemon.ask("GET", "/backups")["aside"] == []
    works_again(daemon)


@pytest.mark.parametrize("call", ["back_up", "restore"])
def test_a_killed_daemon_says_so_and_runs_what_was_queued(daemon: Copying, call: str):
    job = hang(daemon, "hang", call)
    waits = daemon.back_up(databases=["db"])["id"]
    assert daemon.job(waits)["state"] == "queued"
    daemon.kill()
    daemon.script(hang=None)
    daemon.start()

    ended = daemon.job(job)
    queued = daemon.ended(waits)

    assert (ended["state"], ended["reason"]) == ("failed", "interrupted")
    assert ended["error"] == "interrupted by a restart"
    assert (queued["state"], queued["error"]) == ("successful", "")
    vaults = [one["summary"]["name"] for one in daemon.vaults()]
    if call == "back_up":
        assert vaults == [queued["vault"]]
        assert daemon.ask("GET", "/backups")["aside"] == [ended["vault"]]
    works_again(daemon)


def test_a_killed_supervisor_leaves_no_worker(daemon: Copying):
    job = hang(daemon, "hang", "back_up")
    daemon.kill_supervisor()

    wait_for(lambda: not daemon.processes(), 60)
    daemon.script(hang=None)
    daemon.start()

    assert daemon.job(job)["reason"] == "interrupted"
    works_again(daemon)


def test_a_stop_ends_what_runs_and_the_start_says_so(daemon: Copying):
    job = hang(daemon, "hang", "back_up")
    daemon.stop()
    daemon.start()

    assert daemon.job(job)["reason"] == "interrupted"
    works_again(daemon)


def test_evicting_survives_the_death_of_everything(daemon: Copying):
    vaults = [daemon.ended(daemon.back_up()["id"])["vault"] for _ in range(2)]
    daemon.script(hang="evicted")

    def kill() -> None:
        [job] = wait_for(lambda: daemon.ask("GET", "/jobs?kind=evict")["jobs"])
        daemon.until_it_hangs(job["id"])
        daemon.kill()

    killer = Thread(target=kill)
    killer.start()
    with pytest.raises(httpx.TransportError):
        daemon.ask("DELETE", f"/backups/{vaults[0]}")
    killer.join(60)
    daemon.script(hang=None)
    daemon.start()

    [job] = daemon.ask("GET", "/jobs?kind=evict")["jobs"]
    assert (job["state"], job["reason"]) == ("failed", "interrupted")
    wait_for(lambda: len(daemon.vaults()) == 2)
    daemon.ask("DELETE", f"/backups/{vaults[0]}")
    assert [one["summary"]["name"] for one in daemon.vaults()] == vaults[1:]


@pytest.mark.parametrize("how", ["hang", "deaf"])
def test_a_hanging_job_can_be_ended(daemon: Copying, how: str):
    job = hang(daemon, how, "back_up")
    told = daemon.ask("POST", f"/jobs/{job}/cancel")
    assert told["state"] == "canceling"

    ended = daemon.ended(job)

    assert (ended["state"], ended["reason"]) == ("canceled", "canceled")
    assert ended["error"].startswith("canceled by ")
    if how == "hang":
        [vault] = daemon.vaults()
        assert vault["canceled"]
        refused = daemon.http("POST", "/restores", {"vault": ended["vault"]})
        assert refused.status_code == 409
    assert daemon.http("POST", f"/jobs/{job}/cancel").status_code == 409
    wait_for(
        lambda: not [p for p in daemon.processes() if "worker" in str(p.cmdline())]
    )
    works_again(daemon)


def test_a_queued_job_is_ended_at_once(daemon: Copying):
    hangs = hang(daemon, "hang", "back_up")
    waits = daemon.back_up()["id"]

    assert daemon.ask("POST", f"/jobs/{waits}/cancel")["state"] == "canceled"
    assert daemon.job(waits)["state"] == "canceled"
    daemon.ask("POST", f"/jobs/{hangs}/cancel")
    daemon.ended(hangs)


@pytest.mark.parametrize("how", ["hang", "deaf"])
def test_a_late_job_has_failed(daemon: Copying, how: str):
    daemon.script(**{how: "back_up"})
    ended = daemon.ended(daemon.back_up(timeout=2)["id"])

    assert (ended["state"], ended["reason"]) == ("failed", "timeout")
    assert ended["error"] == "it took longer than 2 s"
    works_again(daemon)


@pytest.mark.parametrize("end", ["well", "killed", "canceled"])
def test_what_a_job_leaves_behind_ends_with_it(daemon: Copying, end: str):
    left = daemon.home / "left"
    daemon.script(fork=str(left), hang=None if end == "well" else "back_up")
    job = daemon.back_up()["id"]
    wait_for(lambda: left.exists() and left.read_text())
    pid = int(left.read_text())
    if end != "well":
        daemon.until_it_hangs(job)
        assert psutil.pid_exists(pid)
        assert os.getpgid(pid) != os.getpgid(worker(daemon).pid)
    if end == "killed":
        worker(daemon).kill()
    elif end == "canceled":
        daemon.ask("POST", f"/jobs/{job}/cancel")

    daemon.ended(job)

    wait_for(lambda: not psutil.pid_exists(pid))
    daemon.script(fork=None)
    works_again(daemon)


def test_a_bug_of_a_source_is_told_and_harms_nothing_else(daemon: Copying):
    daemon.tolerated.append("a job failed by a bug")
    daemon.script(bug="back_up")
    ended = daemon.ended(daemon.back_up()["id"])

    assert ended["state"] == "failed"
    assert "ZeroDivisionError" in ended["error"]
    [vault] = daemon.vaults()
    assert "ZeroDivisionError" in vault["summary"]["failed"]
    daemon.script(bug=None)
    works_again(daemon)


def test_what_is_wanted_wrongly_makes_no_vault(daemon: Copying):
    ended = daemon.ended(daemon.back_up(variables={"mode": 1})["id"])

    assert (ended["state"], ended["reason"]) == ("failed", "wrong")
    assert daemon.vaults() == []
    assert daemon.ask("GET", "/backups")["aside"] == []


def test_on_a_full_disk_of_the_state_nothing_asked_for_is_lost():
    with (
        Copying(store={"path": tempfile.mkdtemp(prefix="v-")}) as daemon,
        small_disk(daemon.state, 24 << 20) as disk,
    ):
        daemon.tolerated += [
            "job not recorded",
            "job not started",
            "nothing is changed",
        ]
        daemon.start()
        running = hang(daemon, "hang", "back_up")
        disk.fill()
        refused = wait_for(lambda: refusal(daemon))
        assert refused.status_code in {503, 507}
        daemon.script(hang=None)
        worker(daemon).kill()
        wait_for(lambda: "job not recorded" in daemon.log_end())
        assert daemon.job(running)["state"] == "running"
        disk.free()

        ended = daemon.ended(running)
        assert (ended["state"], ended["reason"]) == ("failed", "died")
        works_again(daemon)
        daemon.stop()


def refusal(daemon: Copying) -> httpx.Response | None:
    """Ask for a backup until it is refused."""
    answer = daemon.http("POST", "/backups", {})
    return None if answer.is_success else answer


def test_a_full_disk_of_the_vaults_fails_the_backup_and_no_more(tmp_path: Path):
    disk_of_vaults = tmp_path / "vaults"
    with (
        small_disk(disk_of_vaults, 4 << 20) as disk,
        Copying(store={"path": str(disk_of_vaults / "store")}) as daemon,
    ):
        daemon.start()
        good = daemon.ended(daemon.back_up()["id"])
        daemon.script(files={"db/a": "x" * (6 << 20)})
        ended = daemon.ended(daemon.back_up()["id"])

        assert (ended["state"], ended["reason"]) == ("failed", "full")
        assert "room" in ended["error"] or "space" in ended["error"]
        valid = [one for one in daemon.vaults() if not one["summary"]["failed"]]
        assert [one["summary"]["name"] for one in valid] == [good["vault"]]
        disk.free()
        daemon.script(files={"db/a": "small"})
        works_again(daemon)
        daemon.stop()


def test_vaults_in_folders_of_their_own_are_found_again(daemon: Copying):
    """After a crash and the loss of the index, as those in the store's folder are."""
    good = daemon.ended(daemon.back_up(folder="a/b")["id"])["vault"]
    daemon.script(hang="back_up")
    half = daemon.back_up(folder="a/b")
    daemon.until_it_hangs(half["id"])
    daemon.kill()
    for part in daemon.state.glob("index.db*"):
        part.unlink()
    daemon.script(hang=None)
    daemon.start()

    found = wait_for(daemon.vaults, 60, daemon.log_end)
    assert [(v["summary"]["name"], v["folder"]) for v in found] == [(good, "a/b")]
    assert daemon.ask("GET", "/backups")["aside"] == [half["vault"]]
    restored = daemon.ended(daemon.restore(good, folder="a/b")["id"])
    assert (restored["state"], restored["error"]) == ("successful", "")
    store = daemon.state / "backups" / "elsewhere" / "a" / "b"
    assert (store / "quarantine" / half["vault"]).exists()
    daemon.ask("DELETE", f"/backups/{half['vault']}")
    assert not (store / "quarantine" / half["vault"]).exists()
    assert daemon.ask("GET", "/backups")["aside"] == []
    works_again(daemon)


@pytest.mark.parametrize("runs", ["while it runs", "at a start"])
def test_a_store_whose_disk_is_away_loses_nothing(daemon: Copying, runs: str):
    good = daemon.ended(daemon.back_up()["id"])["vault"]
    place = daemon.state / "backups"
    away = place.rename(daemon.home / "away")
    if runs == "at a start":
        daemon.restart()
        wait_for(lambda: daemon.ask("GET", "/backups")["trouble"], 60, daemon.log_end)
    else:
        place.mkdir()

    failed = daemon.ended(daemon.back_up()["id"])
    restored = daemon.ended(daemon.restore(good)["id"])
    refused = daemon.http("DELETE", f"/backups/{good}")

    said = daemon.ask("GET", "/backups")
    for words in (failed["error"], restored["error"], refused.text, said["trouble"]):
        assert "is not the vault store that was here before" in words
    assert refused.status_code == 502
    assert [one["summary"]["name"] for one in said["vaults"]] == [good]
    health = httpx.get(f"{daemon.url}/health", trust_env=False).json()
    assert health["status"] == "Warning"
    assert health["storage"]["trouble"] == "the vaults cannot be reached"
    assert not place.exists() or list(place.iterdir()) == []
    if place.exists():
        place.rmdir()
    away.rename(place)
    works_again(daemon)
    wait_for(lambda: not daemon.ask("GET", "/backups")["trouble"], 60, daemon.log_end)
    assert daemon.vaults()[0]["summary"]["name"] == good
