"""Wrong input of every kind at every route, and who may come in."""

import http.client
import json
import socket
import time

import pytest

from tests.acceptance.asking import API, wait_for
from tests.acceptance.daemon import Daemon

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def served():
    """One daemon with a file, an entry that is stopped and one of a difficult name."""
    with Daemon("A", "B", "\u00e9t\u00e9 100% #1?") as daemon:
        daemon.write("A", "toto", b"0123456789")
        wait_for(lambda: daemon.file("toto"))
        daemon.stop_entry("B")
        yield daemon


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/files?offset=-1", 400),
        ("GET", "/files?offset=one", 400),
        ("GET", "/files?offset=", 400),
        ("GET", "/files?offset=1e3", 400),
        ("GET", "/files?offset=99999999999999999999999", 400),
        ("GET", "/files?limit=-1", 400),
        ("GET", "/files?limit=many", 400),
        ("GET", "/files?limit=1&limit=2", 400),
        ("GET", "/files?owner=nobody", 400),
        ("GET", "/files?state=unheard-of", 400),
        ("GET", "/files?path=../..", 400),
        ("GET", "/files?colour=red", 400),
        ("GET", f"/files/{NOBODY}/metadata", 404),
        ("GET", "/files/nonsense/metadata", 404),
        ("GET", "/files/%00/metadata", 404),
        ("GET", "/files/..%2f..%2fetc%2fpasswd/metadata", 404),
        ("GET", f"/files/{NOBODY}/explain", 404),
        ("GET", f"/files/{NOBODY}/content", 404),
        ("GET", "/entries/nobody", 404),
        ("GET", "/entries/a", 404),
        ("GET", "/entries/%FF", 404),
        ("GET", "/entries/nobody/stats", 404),
        ("GET", "/entries/nobody/status", 404),
        ("GET", "/entries/B/stats", 409),
        ("PUT", "/entries/nobody/stop", 404),
        ("PUT", "/entries/nobody/start", 404),
        ("PUT", "/entries/nobody/restart", 404),
        ("PUT", "/entries/nobody/approve", 404),
        ("PUT", "/entries/nobody/restore", 404),
        ("PUT", "/entries/B/stop", 409),
        ("PUT", "/entries/A/start", 409),
        ("PUT", "/entries/B/restart", 409),
        ("PUT", "/entries/A/approve", 409),
        ("PUT", "/entries/A/restore", 409),
        ("PUT", "/entries/A/explode", 404),
        ("PUT", "/files", 405),
        ("DELETE", "/entries/A", 405),
        ("POST", "/rules", 405),
        ("GET", "/rules/reload", 405),
        ("GET", "/entries/A/stop", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/", 404),
    ],
)
def test_wrong_requests_are_refused_in_json(
    served: Daemon, method: str, path: str, status: int
):
    """Each with its status, and always with the same two fields."""
    answer = served.http(method, path)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    assert answer.json()["status"] == "error"
    assert answer.json()["reason"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("PUT /entries/nobody/stop", "entry nobody not found"),
        ("PUT /entries/B/stop", "entry B is already stopped"),
        ("PUT /entries/A/start", "entry A is already running"),
        ("PUT /entries/B/restart", "entry B is not running"),
        ("GET /entries/B/stats", "entry B is not running"),
    ],
)
def test_refusals_in_the_documented_words(served: Daemon, path: str, reason: str):
    """The document of the API gives the words."""
    answer = served.http(*path.split())

    assert answer.json() == {"status": "error", "reason": reason}


def test_a_body_of_another_type_is_not_taken(served: Daemon):
    """415, in JSON."""
    answer = served.http(
        "PUT", "/rules", content=b"rules: []", headers={"Content-Type": "text/yaml"}
    )

    assert (answer.status_code, answer.json()["status"]) == (415, "error")


def test_a_body_without_measure_is_not_taken(served: Daemon):
    """413, in JSON, before it is read."""
    huge = b" " * (64 * 2**20)

    status, words = _raw(
        served,
        b"PUT /api/v1.0/rules HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(huge),
    )

    assert status in (400, 413)
    assert b"Traceback" not in words


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /api/v1.0/files HTTP/1.1\r\n\r\n",
        b"GET /api/v1.0/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_what_is_not_http_ends_the_connection(served: Daemon, request_: bytes):
    """Broken requests are refused or cut off, and the daemon goes on."""
    status, _ = _raw(served, request_)

    assert status in (0, 400, 403, 414, 431)
    assert served.http("GET", "/entries").status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/entries/nobody", "/entries/%FF"])
def test_a_refusal_does_not_cut_the_connection(served: Daemon, path: str):
    """The next request on the same connection is answered, too."""
    line = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    try:
        for _ in range(3):
            line.request("GET", API + path)
            sock = line.sock
            answer = line.getresponse()
            answer.read()
            assert (answer.status, answer.will_close) == (404, False)
            assert line.sock is sock
            time.sleep(0.05)
    finally:
        line.close()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("127.0.0.1", 200),
        ("evil.example", 403),
        ("evil.example:{port}", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ],
)
def test_only_our_own_names_are_served(served: Daemon, host: str, status: int):
    """A web page that rebinds its own name to us gets nothing."""
    host = host.format(port=served.port)

    answer = served.http("GET", "/entries", headers={"Host": host})

    assert answer.status_code in ((status,) if status == 200 else (status, 400))


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://127.0.0.1:{port}", True),
        ("http://evil.example", False),
        ("https://127.0.0.1:{port}", False),
        ("http://127.0.0.1:1", False),
        ("null", False),
    ],
)
def test_writes_from_foreign_pages_are_refused(
    served: Daemon, origin: str | None, allowed: bool
):
    """A page of another origin cannot make a browser change anything here."""
    headers = {"Origin": origin.format(port=served.port)} if origin else {}

    answer = served.http("PUT", "/rules/reload", headers=headers)

    assert answer.status_code == (200 if allowed else 403), answer.text


def test_47_entry_names_of_any_letters(served: Daemon):
    """A name with accents, blanks and signs works in every route."""
    name = "\u00e9t\u00e9 100% #1?"
    encoded = "%C3%A9t%C3%A9%20100%25%20%231%3F"

    assert served.get(f"/entries/{encoded}")["name"] == name
    assert served.get(f"/entries/{encoded}/status")["status"] == "active"
    assert served.get(f"/entries/{encoded}/stats")["info"]["age"] > 0
    for verb in ("restart", "stop", "start"):
        answer = served.put(f"/entries/{encoded}/{verb}")
        assert (answer["name"], answer["status"]) == (name, "ok")


def test_pages_of_files(pair: Daemon):
    """20 by default, in a stable order, with a total."""
    for index in range(45):
        pair.write("A", f"{index:03}", b"x")
    pair.converged()

    first = pair.get("/files")
    rest = pair.get("/files?offset=20&limit=40")

    assert len(first["files"]) == 20
    assert len(rest["files"]) == 25
    assert first["total"] == 45
    names = [file["filename"] for file in first["files"] + rest["files"]]
    assert names == [f"{index:03}" for index in range(45)]


def test_content_is_given_out(pair: Daemon):
    """The API relays a file's content, whole or in part."""
    pair.write("A", "file", b"0123456789")
    pair.converged()
    fid = pair.file("file")["fid"]

    whole = pair.http("GET", f"/files/{fid}/content")
    part = pair.http("GET", f"/files/{fid}/content", headers={"Range": "bytes=2-4"})

    assert (whole.status_code, whole.content) == (200, b"0123456789")
    assert (part.status_code, part.content) == (206, b"234")
    again = pair.http(
        "GET", f"/files/{fid}/content", headers={"If-None-Match": whole.headers["etag"]}
    )
    assert again.status_code == 304


def test_metadata_is_what_the_document_says(served: Daemon):
    """Name, size, owners and who is up to date."""
    [file] = [f for f in served.files() if f["filename"] == "toto"]

    document = served.get(f"/files/{file['fid']}/metadata")

    for key in ("fid", "filename", "size", "owners", "uptodate"):
        assert document[key] == file[key]


def _raw(daemon: Daemon, request: bytes) -> tuple[int, bytes]:
    """Return the status and body; 0 when the connection just ended."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as line:
        line.sendall(request)
        answer = http.client.HTTPResponse(line)
        try:
            answer.begin()
            return answer.status, answer.read()
        except (http.client.HTTPException, ConnectionError):
            return 0, b""


def test_every_route_is_in_the_document(served: Daemon):
    """/openapi.json tells of every address of the seed."""
    document = served.http("GET", "/openapi.json").json()

    told = json.dumps(sorted(document["paths"]))
    for path in (
        "/files",
        "/entries/{name}/stop",
        "/rules/reload",
        "/files/{fid}/metadata",
    ):
        assert API + path in told or path in told
