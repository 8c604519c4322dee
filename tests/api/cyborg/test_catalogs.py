"""Catalogues: files of archives, as agents send them and as people look for them."""

import base64
import gzip
import json
from typing import Any

import pytest

from syncd.api.cyborg import catalogs
from syncd.core.path import from_bytes

ARCHIVE = "vm-lab.example.com-2018-11-23_22-02"
PATHS = ["etc", "etc/hosts", "etc/ssh", "etc/ssh/config", "a.b", "a.b/[x]", "aXb/c"]


def packed(*items: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(items).encode())).decode()


def item(path: str, **more: Any) -> dict[str, Any]:
    return {
        "archive_name": ARCHIVE,
        "job_id": "1",
        "mode": "-rw-rw----",
        "path": path,
        "owner": "root",
        "group": "root",
        "type": "-",
        "size": 12,
        "healthy": True,
        "mtime": "2018-11-24 00:03:52.000000+0100",
        **more,
    }


async def sent(ask: Any, *items: Any) -> Any:
    body = {"archive_name": ARCHIVE, "event": "catalog", "job": "1"}
    return await ask("POST", "catalogs/", {**body, "catalog": packed(*items)})


async def test_what_is_sent_is_shown(ask):
    answer = await sent(ask, item("stdin"))

    assert (answer.status_code, answer.json()) == (201, {})
    assert await ask.get("catalogs/1/") == {
        "id": 1,
        "url": "/api/v1/catalogs/1/",
        "archive_name": ARCHIVE,
        "path": "stdin",
        "job": 1,
        "mode": "-rw-rw----",
        "mtime": "2018-11-23T23:03:52Z",
        "owner": "root",
        "group": "root",
        "size": 12,
        "healthy": True,
    }
    assert await ask.listed("catalogs/?path__startswith=st&size__gt=5", "path") == [
        "stdin"
    ]


async def test_what_is_sent_twice_is_known_once(ask):
    await sent(ask, item("stdin"))
    await sent(ask, item("stdin", size=13))

    assert await ask.listed("catalogs/", "size") == [13]


@pytest.mark.parametrize(
    "body",
    [
        {"catalog": "!"},
        {"catalog": 5},
        {"catalog": base64.b64encode(b"plain").decode()},
        {"catalog": packed({"path": "x"})},
        {"catalog": packed(item("x", mtime="yesterday"))},
        {"catalog": packed(item("x", job_id="x"))},
        {"catalog": packed(item("x"))[:40]},
        {"catalog": packed(item("x", size=2**63))},
        {"catalog": packed(item("x", size=-1))},
        {"catalog": packed(item("x", job_id=2**63))},
        {"catalog": packed(item("x", mtime="0001-01-01 00:00:00+0100"))},
        {"catalog": packed(item("x", mtime="9999-12-31 23:59:59-0100"))},
        {"catalog": packed(item("\ud800"))},
    ],
)
async def test_what_cannot_be_read(ask, body):
    said = await ask.wrong("catalogs/", body)

    assert said["detail"].startswith("the catalog ")
    assert (await ask.get("catalogs/"))["count"] == 0


async def test_names_that_are_no_text_are_kept(ask):
    answer = await sent(ask, item("caf\udce9/a"), item("caf\xe9/b"))

    assert answer.status_code == 201
    order = "catalogs/?order=id"
    assert await ask.listed(order, "path") == [from_bytes(b"caf\xe9/a"), "caf\xe9/b"]


async def test_many_are_kept_in_turns(ask, place, monkeypatch):
    monkeypatch.setattr(catalogs, "AT_ONCE", 2)
    before = place.store.transactions

    await sent(ask, *map(item, PATHS))
    assert place.store.transactions - before >= 4
    assert sorted(await ask.listed("catalogs/", "path")) == sorted(PATHS)
    monkeypatch.setattr(catalogs, "MOST_FILES", 6)
    assert (await sent(ask, *map(item, PATHS))).status_code == 413


async def test_a_bomb_is_not_unpacked(ask):
    bomb = base64.b64encode(gzip.compress(b" " * (65 << 20))).decode()

    said = await ask.wrong("catalogs/", {"catalog": bomb})
    assert "has more than 67108864 bytes" in said["detail"]


async def test_what_says_nothing(ask):
    assert await ask.wrong("catalogs/", {"x": 1}) == {}
    assert (await ask("POST", "catalogs/", {"event": "x"})).json() == {}


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("[^/]*", ["a.b", "etc"]),
        ("[^/]*/[^/]*", ["a.b/[x]", "aXb/c", "etc/hosts", "etc/ssh"]),
        ("etc/[^/]*", ["etc/hosts", "etc/ssh"]),
        ("a.b/[^/]*", ["a.b/[x]"]),
        ("etc/ssh/[^/]*", ["etc/ssh/config"]),
        ("none/[^/]*", []),
        ("etc/.*", ["etc/hosts", "etc/ssh", "etc/ssh/config"]),
    ],
)
async def test_folder_by_folder(ask, pattern, paths):
    await sent(ask, *map(item, PATHS), item("etc/x", archive_name="other"))

    answer = await ask(
        "GET",
        "escatalogs/",
        params={"archive_name": ARCHIVE, "path__regexp": pattern},
    )
    said = answer.json()
    assert [one["path"] for one in said["results"]] == paths
    assert said["count"] == len(paths)
    if paths:
        assert said["results"][0]["type"] == "-"


async def test_how_many_there_are(ask):
    await sent(ask, *map(item, PATHS))

    said = await ask.get(f"escatalogs/?archive_name={ARCHIVE}")
    assert said == {"count": len(PATHS), "results": []}
    for pattern in ("(", "([^/]*/[^/]*"):
        params = {"archive_name": ARCHIVE, "path__regexp": pattern}
        answer = await ask("GET", "escatalogs/", params=params)
        assert answer.status_code == 400
        assert "missing )" in answer.json()["detail"]
