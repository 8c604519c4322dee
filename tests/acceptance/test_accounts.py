"""Accounts of a running daemon: who is let in, by which proof, and until when."""

import base64
import json
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from tests.acceptance.asking import API, wait_for
from tests.acceptance.daemon import Daemon

PASSWORD = "correct horse battery"
ADMIN, OPERATOR, VIEWER = ("admin@x.org", "operator@x.org", "viewer@x.org")


def syncd(daemon: Daemon, *words: str, given: str | None = None) -> str:
    """Run a command about accounts, which must succeed, and return what it prints."""
    group, name, *more = words
    ended = daemon.command_line(
        group, name, "--config", str(daemon.config), *more, given=given
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def add(daemon: Daemon, email: str) -> None:
    role = email.partition("@")[0]
    syncd(
        daemon, "user", "add", email, "--role", role, "--password-stdin", given=PASSWORD
    )


def status(daemon: Daemon, who: Any = None, path: str = "/rules", **more: Any) -> int:
    auth = (who, PASSWORD) if isinstance(who, str) else who
    answer = daemon._http.request("GET", API + path, auth=auth, **more)
    return answer.status_code


def until(daemon: Daemon, wanted: int, *said: Any) -> None:
    """Wait until that is what is answered: changes are noticed soon."""
    wait_for(lambda: status(daemon, *said) == wanted, 30)


@pytest.fixture
def guarded() -> Iterator[Daemon]:
    """A running daemon with a user of each role."""
    with Daemon("A", "B", started=False) as daemon:
        for email in (ADMIN, OPERATOR, VIEWER):
            add(daemon, email)
        yield daemon.start()


def test_with_accounts_everybody_has_to_log_in(guarded: Daemon):
    assert status(guarded) == 401
    assert guarded.http("GET", "/health/live").status_code == 200
    assert guarded.http("GET", "/health/ready").status_code == 200
    for path in ("/metrics", "/openapi.json"):
        assert guarded.http("GET", path).status_code == 401
    assert status(guarded, VIEWER) == 200
    assert status(guarded, (VIEWER, "wrong")) == 401
    assert status(guarded, ("nobody@x.org", PASSWORD)) == 401
    assert status(guarded, OPERATOR, "/audit") == 403
    assert status(guarded, ADMIN, "/audit") == 200


def test_who_may_change(guarded: Daemon):
    def reload(email: str) -> int:
        url = f"{API}/rules/reload"
        return guarded._http.put(url, auth=(email, PASSWORD)).status_code

    assert [reload(email) for email in (VIEWER, OPERATOR, ADMIN)] == [403, 200, 200]
    log = guarded._http.get(f"{API}/audit", auth=(ADMIN, PASSWORD)).json()["audit"]
    assert [(one["who"], one["outcome"]) for one in log][:3] == [
        (ADMIN, "done"),
        (OPERATOR, "done"),
        (VIEWER, "refused"),
    ]
    assert [one["action"] for one in log][3:] == ["user add"] * 3


def test_a_daemon_that_runs_notices_a_user(pair: Daemon):
    assert status(pair) == 200

    add(pair, ADMIN)

    until(pair, 401)
    assert status(pair, ADMIN) == 200


def test_a_disabled_user_is_out_and_in_again(guarded: Daemon):
    words = syncd(guarded, "token", "create", OPERATOR).strip().split(":")
    token = (words[0], words[1])
    until(guarded, 200, token)
    keys = guarded._http.post(
        f"{API}/session/tokens", json={"email": OPERATOR, "password": PASSWORD}
    ).json()
    bearer = {"headers": {"Authorization": f"Bearer {keys['access']}"}}
    assert status(guarded, None, "/rules", **bearer) == 200

    syncd(guarded, "user", "disable", OPERATOR)

    until(guarded, 401, OPERATOR)
    assert status(guarded, token) == 401
    assert status(guarded, None, "/rules", **bearer) == 401
    assert status(guarded, VIEWER) == 200

    syncd(guarded, "user", "enable", OPERATOR)

    until(guarded, 200, token)
    assert status(guarded, OPERATOR) == 200
    assert status(guarded, None, "/rules", **bearer) == 401


def test_a_changed_password_ends_sessions(guarded: Daemon):
    login = {"email": OPERATOR, "password": PASSWORD}
    answer = guarded._http.post(f"{API}/session", json=login)
    assert answer.status_code == 200
    cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    guarded._http.cookies.clear()
    assert status(guarded, None, "/rules", headers=cookie) == 200

    guarded.restart()
    assert status(guarded, None, "/rules", headers=cookie) == 200
    syncd(guarded, "user", "passwd", OPERATOR, "--password-stdin", given="another\n")

    until(guarded, 200, (OPERATOR, "another"))
    assert status(guarded, None, "/rules", headers=cookie) == 401
    assert status(guarded, OPERATOR) == 401


def test_tokens_live_and_end(guarded: Daemon):
    def made(*words: str) -> tuple[str, str]:
        key, _, secret = (
            syncd(guarded, "token", "create", *words).strip().partition(":")
        )
        return key, secret

    good, revoked = made(OPERATOR, "--name", "ci"), made(OPERATOR)
    short = made(VIEWER, "--expires", "1s")
    limited = made(OPERATOR, "--action", "metrics")
    until(guarded, 200, good)
    assert status(guarded, revoked) == 200
    assert status(guarded, limited) == 403
    assert guarded._http.get("/metrics", auth=limited).status_code == 200
    bearer = {"Authorization": f"Bearer {good[0]}:{good[1]}"}
    assert status(guarded, None, "/rules", headers=bearer) == 200

    syncd(guarded, "token", "revoke", revoked[0])

    until(guarded, 401, revoked)
    until(guarded, 401, short)
    assert status(guarded, good) == 200

    def used() -> bool:
        listed = json.loads(syncd(guarded, "token", "list", "--json"))["tokens"]
        return {row["key"]: row["used_at"] for row in listed}[good[0]] is not None

    wait_for(used, 30)


def test_commands_come_in_by_a_token(guarded: Daemon, tmp_path: Path):
    refused = guarded.command_line("status")
    assert refused.returncode == 77
    assert "SYNCD_TOKEN" in refused.stderr

    token = syncd(guarded, "token", "create", OPERATOR).strip()
    (tmp_path / "token").write_text(token)

    def works(*words: str, **variables: str) -> bool:
        return guarded.command_line("status", *words, **variables).returncode == 0

    wait_for(lambda: works(SYNCD_TOKEN=token), 30)
    assert works("--token-file", str(tmp_path / "token"))


def test_wrong_passwords_get_slow(guarded: Daemon):
    answers = [
        guarded._http.get(f"{API}/rules", auth=(VIEWER, f"guess {number}"))
        for number in range(9)
    ]

    assert {answer.status_code for answer in answers} == {401}
    # A tenth of a second after the fifth failure, then twice as long each time.
    assert sum(answer.elapsed.total_seconds() for answer in answers) > 0.5
    log = guarded._http.get(f"{API}/audit", auth=(ADMIN, PASSWORD)).json()["audit"]
    assert [(one["who"], one["action"]) for one in log[:9]] == [(VIEWER, "login")] * 9


# The pair of the environment.

NAME, SECRET = (
    f"BACKUP_DAEMON_API_CREDENTIALS_{word}" for word in ("USERNAME", "PASSWORD")
)


def test_the_pair_of_the_environment():
    with Daemon("A", "B", variables={NAME: "backup", SECRET: "secret"}) as daemon:
        assert status(daemon) == 401
        assert status(daemon, ("backup", "secret")) == 200
        assert status(daemon, ("backup", "other")) == 401
        assert status(daemon, ("backup", "secret"), "/audit") == 403
        assert not any(
            SECRET in one.environ()
            for one in daemon.processes()
            if "syncd.child" in one.cmdline()
        )


def test_half_a_pair_does_not_start():
    with Daemon("A", "B", variables={NAME: "backup"}, started=False) as daemon:
        for command in ("check", "run"):
            ended = daemon.command_line(command, "--config", str(daemon.config))
            assert ended.returncode == 78
            assert f"{NAME} is set and {SECRET} is not" in ended.stderr


def test_without_accounts_credentials_do_not_matter(pair: Daemon):
    for header in ("Basic Og==", "Basic ?", "Bearer x", "Token 1"):
        assert status(pair, None, "/rules", headers={"Authorization": header}) == 200


# Beyond this machine.


def test_beyond_loopback_takes_an_account_and_a_word():
    with Daemon("A", "B", started=False) as daemon:
        daemon.further = {"listen": [f"0.0.0.0:{daemon.port}"]}
        daemon.write_config({})
        ended = daemon.command_line("run", "--config", str(daemon.config))
        assert ended.returncode == 78
        assert "can be reached from other machines" in ended.stderr
        assert "insecure: true" in ended.stderr

        daemon.further |= {"insecure": True}
        daemon.write_config({})
        ended = daemon.command_line("run", "--config", str(daemon.config))
        assert ended.returncode == 78
        assert "`syncd user add EMAIL --role admin --password-stdin`" in ended.stderr

        add(daemon, ADMIN)
        daemon.start()
        url = f"http://{_own_address()}:{daemon.port}{API}/rules"
        assert httpx.get(url, trust_env=False).status_code == 401
        said = httpx.get(url, auth=(ADMIN, PASSWORD), trust_env=False)
        assert said.status_code == 200
        named = {"Host": "evil.example"}
        said = httpx.get(url, auth=(ADMIN, PASSWORD), headers=named, trust_env=False)
        assert said.status_code == 403


def _own_address() -> str:
    """Return an address of this machine that is not loopback, else a loopback one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address


class Protected(Daemon):
    """A daemon that speaks TLS, with certificates of authorities of its own."""

    def __init__(self) -> None:
        super().__init__(
            "A",
            "B",
            further={"tls": {"certificate": "tls.crt", "key": "tls.key"}},
            started=False,
        )
        self.url = f"https://127.0.0.1:{self.port}"
        self.tolerated.append("SSL Error")  # Clients that do not trust it hang up.
        self.issue()

    def issue(self) -> None:
        """Have another certificate, of another authority, which clients trust now."""
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        (self.home / "tls.crt").write_bytes(chain)
        (self.home / "tls.key").write_bytes(certificate.private_key_pem.bytes())
        authority.cert_pem.write_to_path(str(self.home / "ca.pem"))
        self._http.close()
        self._http = self.client()

    def is_reached(self) -> bool:
        """Tell whether new connections get the newest certificate."""
        try:
            return self._http.get("/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def client(self) -> httpx.Client:
        """Return a client that trusts the newest authority only."""
        trusting = ssl.create_default_context(cafile=str(self.home / "ca.pem"))
        return httpx.Client(
            base_url=self.url, timeout=30, trust_env=False, verify=trusting
        )


@pytest.fixture
def protected() -> Iterator[Protected]:
    with Protected() as daemon:
        add(daemon, ADMIN)
        daemon.start()
        yield daemon


def test_tls(protected: Protected, tmp_path: Path):
    assert status(protected) == 401
    assert status(protected, ADMIN) == 200
    login = {"email": ADMIN, "password": PASSWORD}
    headers = {"Origin": protected.url}
    answer = protected._http.post(f"{API}/session", json=login, headers=headers)
    assert answer.headers["Set-Cookie"].endswith("; Secure")
    headers = {"Origin": protected.url.replace("https", "http")}
    answer = protected._http.post(f"{API}/session", json=login, headers=headers)
    assert answer.status_code == 403
    protected._http.cookies.clear()
    token = syncd(protected, "token", "create", ADMIN).strip()
    trust = ["--ca-file", str(protected.home / "ca.pem")]

    def works(*words: str) -> bool:
        ended = protected.command_line("status", *words, SYNCD_TOKEN=token)
        return ended.returncode == 0

    wait_for(lambda: works(*trust), 30)
    assert not works()
    with pytest.raises(httpx.TransportError):
        httpx.get(protected.url.replace("https", "http"), trust_env=False)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_tls_is_refused(protected: Protected):
    old = ssl.create_default_context(cafile=str(protected.home / "ca.pem"))
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1

    with (
        socket.create_connection(("127.0.0.1", protected.port)) as plain,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_new_certificate_is_taken_without_dropping_anybody(protected: Protected):
    with ExitStack() as stack:
        long_ago = stack.enter_context(protected.client())
        assert long_ago.get("/health/live").status_code == 200
        stream = stack.enter_context(
            long_ago.stream("GET", f"{API}/events", auth=(ADMIN, PASSWORD))
        )
        heard = stream.iter_lines()
        next(heard)

        protected.issue()
        protected.signal(signal.SIGHUP)
        wait_for(protected.is_reached, 30)

        protected.write("A", "new.txt", b"x")
        assert any("new.txt" in line for line in heard)


def test_a_bad_certificate_changes_nothing(protected: Protected):
    protected.tolerated.append("certificate refused")
    (protected.home / "tls.key").write_text("nothing of the kind")
    protected.signal(signal.SIGHUP)

    wait_for(lambda: "certificate refused" in protected.log_text(), 30)
    with protected.client() as fresh:
        assert fresh.get("/health/live").status_code == 200


def test_a_bad_certificate_is_told_before_the_start(protected: Protected):
    (protected.home / "tls.key").write_text("nothing of the kind")

    ended = protected.command_line("check", "--config", str(protected.config))

    assert ended.returncode == 78
    assert "are no certificate and key" in ended.stderr


def test_basic_is_what_curl_sends(guarded: Daemon):
    said = base64.b64encode(f"{VIEWER}:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"basic {said}"}

    assert status(guarded, None, "/rules", headers=headers) == 200
