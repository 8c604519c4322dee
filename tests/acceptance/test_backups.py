"""Backups of a whole daemon, as people and programs ask for them."""

import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.copying import Copying


@pytest.fixture
def daemon() -> Iterator[Copying]:
    with Copying() as running:
        yield running.start()


def test_what_was_backed_up_comes_back(daemon: Copying):
    made = daemon.ended(daemon.back_up()["id"])
    assert (made["state"], made["vault"]) == ("successful", made["vault"])
    daemon.script(files={"db/a": "lost"})

    plan = daemon.ended(daemon.restore(made["vault"], dry_run=True)["id"])
    assert plan["result"]["plan"] == ["create db/a", "create other/b"]
    assert daemon.source_holds == {"db/a": "lost"}
    restored = daemon.ended(daemon.restore(made["vault"])["id"])

    assert restored["state"] == "successful"
    assert daemon.source_holds == {"db/a": "one", "other/b": "two"}


def test_a_vault_can_be_found_by_its_job_and_the_other_way_round(daemon: Copying):
    made = daemon.ended(daemon.back_up(databases=["db"], prefix="mine")["id"])
    [vault] = daemon.vaults()

    assert daemon.job(made["vault"])["id"] == made["id"]
    assert made["vault"].startswith("mine_")
    assert vault["summary"]["partial"]
    assert vault["summary"]["listed"] == ["db"]
    assert vault == daemon.ask("GET", f"/backups/{made['vault']}")
    assert "reading" in daemon.said(made["id"])


def test_the_same_key_asks_once(daemon: Copying):
    def ask() -> httpx.Response:
        headers = {"Idempotency-Key": "one"}
        return daemon.http("POST", "/backups", {}, headers=headers)

    assert ask().json()["id"] == ask().json()["id"]
    other = {"Idempotency-Key": "one"}
    refused = daemon.http(
        "POST", "/backups", {"source": "default", "databases": []}, headers=other
    )
    assert refused.status_code == 409
    assert daemon.ask("GET", "/jobs")["total"] == 1


def test_a_log_is_followed_as_it_grows(daemon: Copying):
    daemon.script(hang="back_up")
    job = daemon.back_up()["id"]
    heard: list[str] = []
    text: list[str] = []

    def listen() -> None:
        headers = {"Accept": "text/event-stream"}
        with daemon._http.stream(
            "GET", f"/api/v1.0/jobs/{job}/log", headers=headers
        ) as said:
            for line in said.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    heard.append(value)
                elif name == "data" and heard[-1] == "log":
                    text.append(json.loads(value)["text"])

    listener = threading.Thread(target=listen)
    listener.start()
    wait_for(lambda: "hanging" in "".join(text))
    daemon.ask("POST", f"/jobs/{job}/cancel")
    listener.join(60)

    assert heard[-1] == "end"
    assert "progress" in heard
    whole = daemon.said(job)
    assert "".join(text) == whole
    assert daemon._http.get(f"/api/v1.0/jobs/{job}/log?start=8").text == whole[8:]


def test_secrets_of_the_configuration_are_in_no_log(daemon: Copying):
    daemon.stop()
    web = "{url: 'http://localhost:1/', secret: !env SYNCD_TEST_SECRET}"
    said = daemon.config.read_text()
    daemon.config.write_text(
        said.replace(
            "source:",
            f"notify: {{web: [{web}]}}\n  source:",
        )
    )
    daemon.secret = "hush"
    daemon.start()
    made = daemon.ended(daemon.back_up()["id"])

    assert "the password is ********" in daemon.said(made["id"])
    [vault] = daemon.vaults()
    log = daemon.state / "backups" / "vaults" / vault["summary"]["name"] / "log"
    assert "hush" not in log.read_text()


def test_commands_before_and_after_are_run(daemon: Copying):
    daemon.stop()
    told = daemon.home / "told"
    say = f'echo "$1 $SYNCD_KIND $SYNCD_VAULT $SYNCD_ERROR" >> {told}; echo done'
    hooks = {
        "before": [{"command": ["sh", "-c", say, "sh", "before"]}],
        "after": [{"command": ["sh", "-c", say, "sh", "after"], "kinds": ["backup"]}],
    }
    daemon.set_backup(hooks=hooks)
    daemon.start()
    made = daemon.ended(daemon.back_up()["id"])
    vault = made["vault"]
    assert told.read_text() == f"before backup {vault} \nafter backup {vault} \n"
    assert daemon.said(made["id"]).count("done") == 2

    daemon.script(fail="back_up")
    failed = daemon.ended(daemon.back_up()["id"])
    assert told.read_text().endswith(
        f"after backup {failed['vault']} it does not want to\n"
    )


def test_a_command_before_that_fails_or_hangs_stops_the_job(daemon: Copying):
    for command, why in (
        (["false"], "ended with code 1"),
        (["/no/such"], "No such file"),
        (["sh", "-c", "sleep 600 & sleep 600"], "took longer than 1 s"),
    ):
        daemon.stop()
        daemon.set_backup(hooks={"before": [{"command": command, "timeout": 1}]})
        daemon.start()
        ended = daemon.ended(daemon.back_up()["id"])
        assert (ended["state"], ended["reason"]) == ("failed", "hook")
        assert why in ended["error"]
    assert daemon.vaults() == []
    assert not [one for one in daemon.processes() if "sleep" in one.cmdline()]


def test_schedules_make_backups_and_policies_give_them_up(daemon: Copying):
    daemon.stop()
    daemon.set_backup(schedule=[{"at": "* * * * * *"}], eviction="2/delete")
    daemon.start()
    wait_for(
        lambda: daemon.ask("GET", "/jobs?kind=evict&state=successful")["total"] > 2, 90
    )

    jobs = daemon.ask("GET", "/jobs?kind=backup&limit=1000")["jobs"]
    assert {job["who"] for job in jobs} == {"schedule backup 1"}
    assert len({job["vault"] for job in jobs}) == len(jobs)
    assert {job["state"] for job in jobs} <= {"queued", "running", "successful"}
    assert 1 <= len(daemon.vaults()) <= 4
    told = daemon._http.get("/metrics").text
    assert (
        'syncd_backup_last_success_timestamp_seconds{source="default",store="full"}'
        in told
    )


def test_what_a_damaged_vault_holds_is_found_out(daemon: Copying):
    made = daemon.ended(daemon.back_up()["id"])
    folder = daemon.state / "backups" / "vaults" / made["vault"]
    packs = (folder / "packs").iterdir()
    [pack] = [one for one in packs if b"one" in one.read_bytes()]
    pack.chmod(0o600)
    raw = bytearray(pack.read_bytes())
    raw[raw.index(b"one")] ^= 1
    pack.write_bytes(raw)

    for check in ("drill", "verify"):
        found = daemon.ended(
            daemon.ask("POST", f"/backups/{made['vault']}/{check}")["id"]
        )
        assert (found["state"], found["reason"]) == ("failed", "damaged")
        [vault] = daemon.vaults()
        assert vault["damaged"]
    refused = daemon.http("POST", "/restores", {"vault": made["vault"]})
    assert refused.status_code == 409
    assert "damaged" in refused.json()["reason"]


def test_what_the_command_finds_damaged_the_daemon_does_not_rely_on(daemon: Copying):
    old, new = (daemon.ended(daemon.back_up()["id"])["vault"] for _ in range(2))
    store = str(daemon.state / "backups")
    [pack] = [
        one
        for one in (daemon.state / "backups" / "vaults" / new / "packs").iterdir()
        if b"two" in one.read_bytes()
    ]
    good = pack.read_bytes()
    pack.unlink()
    pack.write_bytes(good.replace(b"two", b"bad"))
    found = daemon.command_line("vault", "verify", new, "--store", store)
    assert found.returncode == 65, found.stderr

    policy = {"fullEvictionPolicy": "1/delete"}
    daemon._http.post("/evictionpolicy", json=policy).raise_for_status()
    left = {one["summary"]["name"]: one for one in daemon.vaults()}
    assert old in left
    assert left[new]["damaged"]


def test_commands_ask_wait_and_say_how_it_ended(daemon: Copying):
    made = daemon.command_line("backup", "--wait", "--keep", "law")
    vault = made.stdout.strip()
    assert (made.returncode, made.stderr) == (0, "")
    assert daemon.vaults()[0]["pin"]["reason"] == "law"
    assert daemon.command_line("restore", vault, "--wait").returncode == 0
    plan = daemon.command_line("restore", vault, "--dry-run")
    assert "create db/a" in plan.stdout
    assert "nothing was changed" in plan.stdout
    assert "reading" in daemon.command_line("log", vault).stdout
    daemon.script(fail="back_up")
    failed = daemon.command_line("backup", "--wait")
    assert (failed.returncode, failed.stdout) == (74, "")
    assert "it does not want to" in failed.stderr
    daemon.script(fail=None, hang="back_up")
    waits = daemon.command_line("backup").stdout.strip()
    daemon.until_it_hangs(waits)
    assert "told to end" in daemon.command_line("cancel", waits).stdout
    followed = daemon.command_line("log", "--follow", waits)
    assert followed.returncode == 75
    assert "hanging" in followed.stdout
    listed = daemon.command_line("jobs", "--kind", "backup")
    for word in (vault, waits, "successful", "failed", "canceled"):
        assert word in listed.stdout
    assert daemon.command_line("cancel", waits).returncode == 75
    assert daemon.command_line("log", "nope").returncode == 66
    assert daemon.command_line("restore", "nope").returncode == 66
