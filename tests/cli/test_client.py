"""What the daemon's answers, and its silence, mean for a command."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import pytest
import trustme

from tests.cli.conftest import Canned, Run, command

ENTRIES = {
    "entries": [{"name": "A", "driver": "local_storage", "options": {"root": "a"}}]
}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, 64),
        (403, 77),
        (404, 66),
        (405, 64),
        (409, 75),
        (413, 64),
        (415, 64),
        (429, 69),
        (500, 69),
        (502, 74),
        (503, 69),
        (507, 74),
    ],
)
def test_a_refusal_becomes_an_exit_code(
    daemon: Canned, run: Run, status: int, code: int
):
    daemon.refuse("PUT /entries/A/stop", status, "the daemon's own words")

    ended = run("entries", "stop", "A")

    assert ended == (code, "", "syncd: the daemon's own words\n")


def test_every_fault_is_told(daemon: Canned, run: Run, tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text("rules: [{sync: [nobody]}]")
    daemon.refuse("POST /rules/plan", 400, "two faults", faults=["one", "two"])

    ended = run("rules", "plan", str(file))

    assert ended.code == 64
    assert [line.strip() for line in ended.err.splitlines()] == [
        "syncd: two faults",
        "syncd: one",
        "syncd: two",
    ]


def test_faults_that_the_reason_names_are_told_once(daemon: Canned, run: Run):
    daemon.refuse("PUT /rules/reload", 400, "one\ntwo", faults=["one", "two"])

    assert run("rules", "reload").err == "syncd: one\nsyncd: two\n"


def test_without_a_daemon_it_says_how_to_start_one():
    ended = command("status", "--url", "http://127.0.0.1:1")

    assert (ended.code, ended.out) == (69, "")
    assert "syncd run" in ended.err
    assert "http://127.0.0.1:1" in ended.err


@pytest.fixture
def speaks_tls() -> Iterator[int]:
    """Give the port of a server whose certificate nobody here has heard of."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    one = server.accept()[0]
                    with suppress(OSError):
                        context.wrap_socket(one, server_side=True).close()

        thread = Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(30)


def test_who_cannot_be_trusted_is_no_absent_daemon(speaks_tls: int):
    ended = command("status", "--url", f"https://127.0.0.1:{speaks_tls}")

    assert ended.code == 69
    assert "is not trusted: unable to get local issuer certificate" in ended.err
    assert "--ca-file" in ended.err
    assert "syncd run" not in ended.err


def test_who_speaks_tls_is_asked_by_https(speaks_tls: int):
    ended = command("status", "--url", f"http://127.0.0.1:{speaks_tls}")

    assert ended.code == 69
    assert "begins with https://" in ended.err


def test_something_else_answers(daemon: Canned, run: Run):
    daemon.answers["GET /entries"] = (200, "<html>a router</html>")

    ended = run("entries", "list")

    assert ended.code == 69
    assert "no syncd daemon" in ended.err


@pytest.mark.parametrize("url", ["nonsense", "ftp://host", "http://", "http://h:port"])
def test_addresses_that_are_none(url: str):
    ended = command("status", "--url", url)

    assert ended.code in (64, 69)
    assert ended.err.startswith("syncd: ")
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "words",
    [
        ["entries", "list", "--json"],
        ["entries", "--json", "list"],
        ["--json", "entries", "list"],
    ],
)
def test_options_count_wherever_they_stand(daemon: Canned, run: Run, words: list[str]):
    text = daemon.say("GET /entries", ENTRIES)

    assert run(*words) == (0, text + "\n", "")


def test_the_last_address_counts(daemon: Canned, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SYNCD_URL", "http://127.0.0.1:1")
    daemon.say("GET /entries", ENTRIES)

    ended = command(
        "--url", "http://127.0.0.1:2", "entries", "list", "--url", daemon.url
    )

    assert ended.code == 0, ended.err


def test_a_proxy_of_the_environment_is_not_asked(
    daemon: Canned, run: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    daemon.say("GET /entries", ENTRIES)

    assert run("entries", "list").code == 0


def test_json_is_the_daemons_own(daemon: Canned, run: Run):
    text = daemon.say("GET /entries", {**ENTRIES, "new in a later version": 1})

    ended = run("entries", "list", "--json")

    assert ended.out == text + "\n"
    assert json.loads(ended.out)


@pytest.mark.parametrize("way", ["variable", "file", "variable of a file"])
def test_a_token_is_sent_and_not_on_the_command_line(
    daemon: Canned, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path, way: str
):
    daemon.say("GET /entries", ENTRIES)
    file = tmp_path / "token"
    file.write_text("key:se:cret\n")
    words = ["--token-file", str(file)] if way == "file" else []
    if way == "variable":
        monkeypatch.setenv("SYNCD_TOKEN", "key:se:cret")
    if way == "variable of a file":
        monkeypatch.setenv("SYNCD_TOKEN_FILE", str(file))

    assert run("entries", "list", *words).code == 0
    assert daemon.asked[0].authorization == "Basic a2V5OnNlOmNyZXQ="


def test_without_a_token_none_is_sent(daemon: Canned, run: Run):
    daemon.say("GET /entries", ENTRIES)

    assert run("entries", "list").code == 0
    assert daemon.asked[0].authorization is None


@pytest.mark.parametrize("content", ["key", ":", "key:", ":secret"])
def test_a_token_that_is_none(run: Run, monkeypatch: pytest.MonkeyPatch, content: str):
    monkeypatch.setenv("SYNCD_TOKEN", content)

    ended = run("entries", "list")

    assert ended.code == 64
    assert "SYNCD_TOKEN is not KEY:SECRET" in ended.err


@pytest.mark.parametrize("option", ["--token-file", "--ca-file"])
def test_a_file_that_is_not_there(run: Run, tmp_path, option: str):
    ended = run("entries", "list", option, str(tmp_path / "none"))

    assert ended.code == 64
    assert f"{option} {tmp_path}/none: No such file" in ended.err


def test_whoever_has_to_log_in_is_told_how(daemon: Canned, run: Run):
    daemon.refuse("GET /entries", 401, "log in first")

    ended = run("entries", "list")

    assert ended.code == 77
    assert "log in first" in ended.err
    assert "set SYNCD_TOKEN to KEY:SECRET" in ended.err
