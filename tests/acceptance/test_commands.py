"""The command line beside a real daemon, and configurations that cannot be."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon


@pytest.fixture(scope="module")
def served() -> Iterator[Daemon]:
    """One daemon with two files."""
    with Daemon("A", "B") as daemon:
        daemon.write("A", "docs/a.txt", b"0123456789")
        daemon.write("A", "b")
        daemon.converged()
        yield daemon


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("status", ["A", "B", "active"]),
        ("files", ["docs/a.txt", "10 B"]),
        ("files --path docs", ["docs/a.txt"]),
        ("explain docs/a.txt", ["docs/a.txt", "A", "B"]),
        ("explain /docs/a.txt", ["docs/a.txt"]),
        ("rules show", ["match", "sync"]),
        ("rules reload", ["in force"]),
        ("rules plan rules.yaml", []),
        ("entries list", ["local_storage"]),
        ("check --config syncd.yaml", ["2 entries", "1 rule"]),
    ],
)
def test_commands_tell(served: Daemon, words: str, told: list[str]):
    """Each answers in words, and as one JSON document; a pipe gets no colours."""
    answer = served.command_line(*words.split())

    assert answer.returncode == 0, answer.stderr
    for word in told:
        assert word in answer.stdout
    assert "\x1b" not in answer.stdout
    assert json.loads(served.command_line(*words.split(), "--json").stdout)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("explain nothing-there", 66),
        ("entries stop nobody", 66),
        ("entries start A", 75),
        ("files --limit -1", 64),
        ("files --unknown-option", 64),
        ("rules plan missing.yaml", 64),
        ("check --config missing.yaml", 78),
        ("status --url http://127.0.0.1:1", 69),
        ("status --url nonsense", 64),
    ],
)
def test_commands_that_fail_say_so(served: Daemon, words: str, code: int):
    """A useful exit code, words on stderr, nothing on stdout, never a traceback."""
    answer = served.command_line(*words.split())

    assert answer.returncode == code, answer.stderr
    assert answer.stderr
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr


def test_entries_are_stopped_and_started(served: Daemon):
    """The commands do what the API does."""
    for verb, status in (
        ("stop", "stopped"),
        ("start", "active"),
        ("restart", "active"),
    ):
        answer = served.command_line("entries", verb, "A")
        assert answer.returncode == 0, answer.stderr
        assert served.get("/entries/A/status")["status"] == status


def test_watching_ends_on_ctrl_c(served: Daemon):
    """130, and no traceback."""
    watch = subprocess.Popen(
        [*served.command()[:3], "status", "--watch"],
        cwd=served.home,
        env={**served.environment(), "SYNCD_URL": served.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        wait_for(watch.stdout.readline, what="a first table")
        watch.send_signal(signal.SIGINT)
        assert watch.wait(30) == 130
        assert "Traceback" not in watch.stderr.read()


def test_a_reader_that_leaves_is_no_error(served: Daemon):
    """`syncd files | head -0` complains about nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [*served.command()[:3], "files"],
        cwd=served.home,
        env={**served.environment(), "SYNCD_URL": served.url},
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(writing)

    assert ended.stderr == b""


FAULTS = {
    "not YAML": "entries: [",
    "nothing": "",
    "no entries": "listen: [127.0.0.1:1]",
    "unknown key": "lsten: []\nentries: {"
    "A: {driver: local_storage, options: {root: a}}}",
    "unknown driver": "entries: {A: {driver: floppy, options: {}}}",
    "unknown option": "entries: {A: {driver: local_storage, options: {root: a, x: 1}}}",
    "missing option": "entries: {A: {driver: local_storage, options: {}}}",
    "wrong type": "entries: {A: {driver: local_storage, options: {root: [1]}}}",
    "case": "entries: {"
    "A: {driver: local_storage, options: {root: x}},"
    "a: {driver: local_storage, options: {root: y}}}",
    "nested roots": "entries: {"
    "A: {driver: local_storage, options: {root: x}},"
    "B: {driver: local_storage, options: {root: x/y}}}",
    "inside state": "state: var\nentries: {"
    "A: {driver: local_storage, options: {root: var/x}}}",
    "everyone": "listen: ['0.0.0.0:3862']\nentries: {"
    "A: {driver: local_storage, options: {root: x}}}",
    "twice": "entries: {A: {driver: local_storage, options: {root: x}},"
    " A: {driver: local_storage, options: {root: y}}}",
}


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("text", FAULTS.values(), ids=FAULTS.keys())
def test_wrong_configurations(served: Daemon, command: str, text: str):
    """Refused by check and at the start with 78, each fault with its place."""
    path = served.home / "wrong.yaml"
    path.write_text(text)

    answer = served.command_line(command, "--config", str(path))

    assert answer.returncode == 78, answer.stderr
    assert "wrong.yaml" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_all_faults_at_once(served: Daemon):
    """Whoever corrects a configuration hears everything in one go."""
    path = served.home / "wrong.yaml"
    path.write_text(
        "lsten: []\nentries:\n"
        "  A: {driver: floppy}\n"
        "  B: {driver: local_storage, options: {root: 7}}\n"
    )

    answer = served.command_line("check", "--config", str(path))

    assert answer.returncode == 78
    for place in ("lsten", "entries.A", "entries.B"):
        assert place in answer.stderr
