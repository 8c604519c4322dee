"""Repositories: their keys are kept sealed, and told to few who ask for them."""

import sqlite3
from contextlib import closing

import pytest

KEY = "0123456789abcdef"
MAIN = {"name": "Main Repo", "path": "cyborgbackup@backup:/repository"}


async def test_one_is_made_with_all_its_keys(ask):
    made = await ask.made("repositories/", **MAIN, repository_key=KEY, ready=True)

    assert list(made) == [
        *("id", "type", "url", "related", "summary_fields", "created", "modified"),
        *("created_by", "modified_by", "name", "path", "repository_key"),
        *("original_size", "compressed_size", "deduplicated_size"),
        *("ready", "enabled", "uuid"),
    ]
    assert made["type"] == "repository"
    assert (made["ready"], made["enabled"], made["original_size"]) == (True, True, 0)
    assert made["repository_key"] == "$encrypted$"


@pytest.mark.parametrize(
    "path",
    [
        "/tmp/repository",
        "user@host:/abs/path",
        "user@host:relative",
        "ssh://user@host:2222/path",
        "ssh://host/path",
        "ssh://user@[::1]:22/./path",
    ],
)
async def test_where_one_can_be(ask, path):
    made = await ask.made("repositories/", name="r", path=path, repository_key="k")

    assert made["path"] == path


@pytest.mark.parametrize(
    "path",
    [
        "repository",
        "-oProxyCommand=x@host:/r",
        "ssh://-oProxyCommand=x/r",
        "@host:/r",
        "user@host",
        "ssh://host",
        "http://host/r",
        "/a\nb",
    ],
)
async def test_where_none_can_be(ask, path):
    said = await ask.wrong(
        "repositories/", {"name": "r", "path": path, "repository_key": "k"}
    )

    assert "write /FOLDER, USER@HOST:/FOLDER or" in said["path"][0]


async def test_the_key_is_told_to_a_superuser_who_asks_and_that_is_written(
    admin, viewer, place
):
    await admin.made("repositories/", **MAIN, repository_key=KEY)

    assert (await admin.get("repositories/1/"))["repository_key"] == "$encrypted$"
    told = await admin.get("repositories/1/?secrets=show")
    assert told["repository_key"] == KEY
    for path in ("repositories/1/", "repositories/", "repositories/?secrets=show"):
        said = await viewer("GET", path)
        assert KEY not in said.text
    assert (await viewer("GET", "repositories/1/?secrets=show")).status_code == 403
    _, lines = await place.auth.trail.page(offset=0, limit=10)
    assert [(one.who, one.action, one.status) for one in lines][::-1] == [
        ("admin@x.org", "POST /api/v1/repositories", 201),
        ("admin@x.org", "GET /api/v1/repositories/{number}", 200),
        ("viewer@x.org", "GET /api/v1/repositories/{number}", 403),
    ]


async def test_it_is_sealed_where_it_lies(ask, tmp_path):
    await ask.made("repositories/", **MAIN, repository_key=KEY)

    with closing(sqlite3.connect(tmp_path / "index.db")) as db:
        dump = "\n".join(db.iterdump())
    assert "Main Repo" in dump
    assert KEY not in dump
    assert (tmp_path / "secrets.key").stat().st_mode & 0o777 == 0o600


async def test_no_archive_is_encrypted_with_the_mask(ask):
    made = await ask.made("repositories/", **MAIN, repository_key=KEY)

    said = await ask.wrong("repositories/", {**made, "name": "A copy"})
    assert "is not known; write it out" in said["repository_key"][0]


async def test_the_mask_sent_back_leaves_it_as_it_is(ask):
    made = await ask.made("repositories/", **MAIN, repository_key=KEY)

    await ask("PUT", "repositories/1/", {**made, "name": "Other"})
    after = await ask.get("repositories/1/?secrets=show")
    assert (after["name"], after["repository_key"]) == ("Other", KEY)

    await ask("PATCH", "repositories/1/", {"repository_key": "new"})
    after = await ask.get("repositories/1/?secrets=show")
    assert after["repository_key"] == "new"


@pytest.mark.parametrize(
    "query",
    [
        "repository_key=x",
        "or__repository_key__startswith=0",
        "created_by__password__startswith=a",
    ],
)
async def test_nobody_can_ask_for_it_bit_by_bit(ask, query):
    await ask.made("repositories/", **MAIN, repository_key=KEY)
    for path in ("repositories/", "repositories/1/"):
        answer = await ask("GET", f"{path}?{query}")
        assert (answer.status_code, answer.json()) == (
            403,
            {"detail": "Filtering on password fields is not allowed."},
        )
    answer = await ask("GET", "repositories/?order_by=repository_key")
    assert answer.status_code == 400
    answer = await ask("GET", "repositories/?fields=repository_key")
    assert answer.status_code == 400
