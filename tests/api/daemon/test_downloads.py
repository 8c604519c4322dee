"""Downloads: the bytes of a zip, all or a part, never fewer without saying so."""

import asyncio

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.api.daemon.downloads import part
from tests.api.raw import ask

NAME = "20260101T000000"
WHERE = f"/backup/{NAME}"


@pytest.fixture(autouse=True)
def vault(backups):
    return backups.add(NAME)


async def test_all_of_it(http, backups):
    answer = await http.get(WHERE)

    assert answer.status_code == 200
    assert answer.content == backups.archive
    assert answer.headers["Content-Type"] == "application/zip"
    said = f'attachment; filename="{NAME}.zip"'
    assert answer.headers["Content-Disposition"] == said
    assert answer.headers["Content-Length"] == str(len(backups.archive))
    assert answer.headers["ETag"] == '"tag-of-it"'
    assert not backups.lent


async def test_of_unknown_length(http, backups):
    backups.sized = False

    answer = await http.get(WHERE, headers={"Range": "bytes=0-1"})

    assert (answer.status_code, answer.content) == (200, backups.archive)
    assert "Content-Length" not in answer.headers
    assert "ETag" not in answer.headers


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1500-2600", 1500, 2601),
        ("bytes=5000-", 5000, None),
        ("bytes=-7", -7, None),
    ],
)
async def test_a_part(http, backups, asked, start, end):
    whole = backups.archive
    answer = await http.get(WHERE, headers={"Range": asked})

    assert (answer.status_code, answer.content) == (206, whole[start:end])
    first = start % len(whole)
    last = first + len(answer.content) - 1
    said = f"bytes {first}-{last}/{len(whole)}"
    assert answer.headers["Content-Range"] == said


async def test_a_part_of_what_is_no_more(http, backups):
    headers = {"Range": "bytes=0-0", "If-Range": '"another"'}

    assert (await http.get(WHERE, headers=headers)).content == backups.archive


async def test_a_part_that_is_not_there(http, backups):
    answer = await http.get(WHERE, headers={"Range": "bytes=99999-"})

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(backups.archive)}"
    assert not backups.lent


async def test_what_is_known_is_not_sent(http):
    answer = await http.get(WHERE, headers={"If-None-Match": '"tag-of-it"'})

    assert (answer.status_code, answer.content) == (304, b"")


async def test_its_head(http, backups):
    answer = await http.head(WHERE)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(backups.archive))


@pytest.mark.parametrize("name", ["x", "%2e%2e", "..%2f..%2fetc", "granular", "."])
async def test_an_unknown_one(port, name):
    # As bytes: a client library would tidy the address up.
    answer = await ask(port, f"GET /backup/{name}")

    assert (answer.status, answer.body) == (204, b"")
    assert "Content-Type" not in answer.headers


async def test_one_that_runs(http):
    name = (await http.post("/backup")).text

    assert (await http.get(f"/backup/{name}")).status_code == 204


@pytest.mark.parametrize("sized", [True, False])
async def test_one_that_breaks_does_not_look_whole(http, backups, sized):
    backups.sized, backups.broken_at = sized, 3000

    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(WHERE)
    assert not backups.lent


async def test_one_that_cannot_be_begun(http, backups):
    backups.broken_at = 0

    answer = await http.get(WHERE)

    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/json"


async def test_two_at_a_time(http, backups):
    answers = await asyncio.gather(*(http.get(WHERE) for _ in range(10)))

    assert {answer.content for answer in answers} == {backups.archive}


@pytest.mark.parametrize("more", ["", "?expiration=60"])
async def test_addresses_in_an_object_store(http, more):
    for name in (NAME, "x"):
        answer = await http.get(f"/backup/s3/{name}{more}")
        assert (answer.status_code, answer.content) == (204, b"")


@given(
    st.lists(st.binary(max_size=5)),
    st.integers(0, 30),
    st.none() | st.integers(1, 30),
)
async def test_a_part_is_what_a_slice_is(chunks, start, length):
    async def given_out():
        for chunk in chunks:
            yield chunk

    found = b"".join([one async for one in part(given_out(), start, length)])

    assert found == b"".join(chunks)[start:][:length]
