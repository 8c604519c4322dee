"""Worker, daemon or everything is killed at every stage of a job; all goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import httpx
import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.copying import Copying

HELD = {"db/a": "one", "other/b": "two"}


class Stage(NamedTuple):
    """Where a job hangs when it is killed."""

    kind: str
    hang: str
    """The call of the source that hangs."""
    after: int = 1
    """The how manieth of these calls."""


STAGES = {
    "while a backup is read": Stage("backup", "back_up"),
    "between a vault's publishing and its recording": Stage("backup", "listed"),
    "before the first item is restored": Stage("restore", "restore an item"),
    "between two restored items": Stage("restore", "restore an item", 2),
    "before the first vault is evicted": Stage("evict", "evicted"),
    "between two evicted vaults": Stage("evict", "evicted", 2),
}

VICTIMS = ["worker", "daemon", "everything"]


@pytest.fixture
def daemon() -> Iterator[Copying]:
    with Copying() as running:
        running.start()
        running.tolerated.append("not all was deleted")
        yield running


@pytest.fixture(params=[pytest.param(stage, id=name) for name, stage in STAGES.items()])
def stage(request: pytest.FixtureRequest) -> Stage:
    found: Stage = request.param
    return found


@pytest.mark.parametrize("victim", VICTIMS)
def test_whatever_is_killed_nothing_is_lost(daemon: Copying, stage: Stage, victim: str):
    number = 3 if stage.kind == "evict" else 1
    vaults = [daemon.ended(daemon.back_up()["id"])["vault"] for _ in range(number)]
    daemon.script(hang=stage.hang, after=stage.after)

    killed = begun(daemon, stage, vaults)
    if victim == "worker":
        worker_of(daemon).kill()
        ended = daemon.ended(killed)
    else:
        if victim == "daemon":
            daemon.kill_supervisor()
            wait_for(lambda: not daemon.processes(), 60)
        daemon.kill()
        daemon.start()
        ended = daemon.job(killed)

    reason = "died" if victim == "worker" else "interrupted"
    assert (ended["state"], ended["reason"]) == ("failed", reason)
    AFTER[stage.kind](daemon, stage, vaults, ended)
    if stage.hang == "back_up" and victim != "daemon":
        assert daemon.ask("GET", "/backups")["aside"] == [ended["vault"]]
    goes_on(daemon)


def begun(daemon: Copying, stage: Stage, vaults: list[str]) -> str:
    """Have a job begin and come to that stage; return its id."""
    if stage.kind == "backup":
        id = str(daemon.back_up()["id"])
    elif stage.kind == "restore":
        daemon.script(files={})
        id = str(daemon.restore(vaults[-1])["id"])
    else:
        asking = Thread(target=evict, args=[daemon])
        asking.start()
        [job] = wait_for(lambda: daemon.ask("GET", "/jobs?kind=evict")["jobs"])
        id = str(job["id"])
    said = daemon.home / "hanging"
    wait_for(lambda: said.exists() or "hanging" in daemon.said(id), 60, daemon.log_end)
    return id


def evict(daemon: Copying) -> None:
    """Have all vaults but the newest given up; who asks may be left without answer."""
    try:
        with httpx.Client(base_url=daemon.url, timeout=120, trust_env=False) as http:
            http.post("/evictionpolicy", json={"fullEvictionPolicy": "1/delete"})
    except httpx.TransportError:
        pass


def after_backup(
    daemon: Copying, stage: Stage, vaults: list[str], ended: dict[str, Any]
) -> None:
    """What was published is a good vault, and what was not lies aside."""
    is_published = stage.hang == "listed"
    expected = [*vaults, *[ended["vault"]] * is_published]
    aside = [] if is_published else [ended["vault"]]
    wait_for(lambda: names(daemon) == expected, 60, daemon.log_end)
    store = daemon.state / "backups"
    # Nothing is being made; a worker that outlives its daemon clears up by itself.
    wait_for(lambda: not any((store / "staging").iterdir()), 60)
    wait_for(lambda: daemon.ask("GET", "/backups")["aside"] == names_in(store), 60)
    assert names_in(store) in (aside, [])
    assert all(one["summary"]["failed"] is None for one in daemon.vaults())
    if is_published:
        proven = daemon.ask("POST", f"/backups/{ended['vault']}/drill")["id"]
        assert daemon.ended(proven)["state"] == "successful"


def after_restore(
    daemon: Copying, stage: Stage, vaults: list[str], ended: dict[str, Any]
) -> None:
    """What was restored so far is there, and asking again restores the rest."""
    assert len(daemon.source_holds) == stage.after - 1
    daemon.script(hang=None)
    again = daemon.ended(daemon.restore(vaults[-1])["id"])
    assert (again["state"], daemon.source_holds) == ("successful", HELD)


def after_evict(
    daemon: Copying, stage: Stage, vaults: list[str], ended: dict[str, Any]
) -> None:
    """What was deleted is gone, what was not is whole, and the newest stays."""
    left = vaults[stage.after - 1 :]
    wait_for(lambda: names(daemon) == left, 60, daemon.log_end)
    for one in left:
        checked = daemon.ask("POST", f"/backups/{one}/verify")["id"]
        assert daemon.ended(checked)["state"] == "successful"
    daemon.script(hang=None)
    evict(daemon)
    assert names(daemon) == vaults[-1:]


AFTER: dict[str, Callable[[Copying, Stage, list[str], dict[str, Any]], None]] = {
    "backup": after_backup,
    "restore": after_restore,
    "evict": after_evict,
}


def goes_on(daemon: Copying) -> None:
    """Fail unless a backup can be made, and restored."""
    daemon.script(hang=None, files=HELD)
    good = daemon.ended(daemon.back_up()["id"])
    assert (good["state"], good["error"]) == ("successful", "")
    daemon.script(files={})
    restored = daemon.ended(daemon.restore(good["vault"])["id"])
    assert (restored["state"], restored["error"]) == ("successful", "")
    assert daemon.source_holds == HELD


def names_in(store: Path) -> list[str]:
    """Return what lies aside in a store."""
    return sorted(path.name for path in (store / "quarantine").iterdir())


def names(daemon: Copying) -> list[str]:
    return [one["summary"]["name"] for one in daemon.vaults()]


def worker_of(daemon: Copying) -> Any:
    """Return the process that does the job; there is one."""
    running = [(one, one.cmdline()) for one in daemon.processes()]
    [found] = [
        process
        for process, words in running
        if "syncd.child.worker" in words and "--load" not in words
    ]
    return found
