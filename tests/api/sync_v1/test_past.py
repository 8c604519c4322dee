"""What is kept of files, and bringing it back, over HTTP."""

import base64
from typing import Any

import pytest

from syncd.api.rooms import Unheard
from syncd.core import path as paths
from syncd.errors import Conflict, NotFound, Unavailable

A = paths.fid("docs/a")


@pytest.fixture(autouse=True)
def kept(house):
    house.past.keep("docs/a", digest="ab" * 32, cause="c0ffee12")
    house.past.unheard = [Unheard("C", "it is not running")]


async def test_the_shape_of_a_history(http):
    answer = await http.get(f"/files/{A.upper()}/history")

    assert answer.status_code == 200
    assert answer.json() == {
        "fid": A,
        "filename": "docs/a",
        "versions": [
            {
                "fid": A,
                "filename": "docs/a",
                "version": "1406628978500000000",
                "entry": "B",
                "at": 1406628978.5,
                "size": 3,
                "mtime": 1406628957.0,
                "kind": "file",
                "why": "replaced",
                "cause": "c0ffee12",
                "digest": "ab" * 32,
            }
        ],
        "unheard": [{"entry": "C", "reason": "it is not running"}],
    }


@pytest.mark.parametrize("fid", [paths.fid("nothing"), "x", "docs%2Fa"])
@pytest.mark.parametrize(("method", "what"), [("GET", "history"), ("POST", "undo")])
async def test_what_is_not_known(http, fid, method, what):
    answer = await http.request(method, f"/files/{fid}/{what}")

    assert answer.status_code == 404
    assert answer.json()["status"] == "error"


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (None, (A, None, None, None)),
        ({}, (A, None, None, None)),
        ({"entry": "B"}, (A, "B", None, None)),
        ({"version": "12"}, (A, None, "12", None)),
        ({"at": 5}, (A, None, None, 5.0)),
        ({"at": 5.5, "entry": "B"}, (A, "B", None, 5.5)),
    ],
)
async def test_one_file_is_brought_back(http, house, body, asked):
    answer = await http.post(f"/files/{A}/undo", json=body)

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["restored"]["version"] == "1406628978500000000"
    assert house.past.asked == [asked]


async def test_no_body_at_all(http, house):
    assert (await http.post(f"/files/{A}/undo")).status_code == 200
    assert house.past.asked == [(A, None, None, None)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "the body: Expected `object`"),
        ({"at": "yesterday"}, "the body"),
        ({"at": -1}, "a moment is seconds since 1970"),
        ({"at": 1e300}, "a moment is seconds since 1970"),
        ({"version": 12}, "the body"),
        ({"version": "12", "at": 5}, "exclude each other"),
        ({"path": "x"}, "unknown field"),
        ({"at": None}, "at is null; leave it out"),
    ],
)
async def test_what_cannot_be_meant_is_refused(http, house, body, words):
    answer = await http.post(f"/files/{A}/undo", json=body)

    assert answer.status_code == 400
    assert words in answer.json()["reason"]
    assert house.past.asked == []


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"path": "docs"}, ("docs", None, None, False)),
        ({"path": "/docs/", "dry_run": True}, ("docs", None, None, True)),
        ({"since": 5}, ("", None, 5.0, False)),
        ({"at": 5, "path": "/", "entry": "B"}, ("", "B", 5.0, False)),
        (
            {"path_base64": base64.b64encode(b"d/\xff").decode()},
            (paths.from_bytes(b"d/\xff"), None, None, False),
        ),
    ],
)
async def test_more_than_a_file_is_brought_back(http, house, body, asked):
    answer = await http.post("/undo", json=body)

    assert answer.status_code == 200
    said = answer.json()
    assert house.past.asked == [asked]
    assert (said["files"], said["bytes"], said["dry_run"]) == (1, 3, asked[-1])
    assert said["examples"][0]["filename"] == "docs/a"
    assert said["passed_over"] == [{"filename": "c", "reason": "it is a folder now"}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "the body is missing"),
        ({"path": 5}, "the body"),
        ({"path": "../x"}, "not a path inside an entry"),
        ({"path": "a", "path_base64": "YQ=="}, "exclude each other"),
        ({"path_base64": "?"}, "path_base64"),
        ({"since": 1, "at": 1}, "mean the same"),
        ({"dry_run": "yes"}, "the body"),
        ({"paht": "a"}, "unknown field `paht`"),
    ],
)
async def test_what_cannot_be_meant_of_more_is_refused(http, house, body, words):
    content: dict[str, Any] = {} if body is None else {"json": body}
    answer = await http.post("/undo", **content)

    assert answer.status_code == 400
    assert words in answer.json()["reason"]
    assert house.past.asked == []


async def test_bytes_that_are_no_path(http):
    body = {"path_base64": base64.b64encode(b"a\0").decode()}
    answer = await http.post("/undo", json=body)

    assert answer.status_code == 404
    assert "not a path inside an entry" in answer.json()["reason"]


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (NotFound("nothing is kept of it"), 404),
        (Conflict("a is being written to"), 409),
        (Unavailable("it is not running"), 503),
    ],
)
@pytest.mark.parametrize("where", [f"/files/{A}/undo", "/undo"])
async def test_refusals_keep_their_words(http, house, refusal, status, where):
    house.past.refusal = refusal
    answer = await http.post(where, json={})

    assert answer.status_code == status
    assert answer.json()["reason"] == str(refusal)
