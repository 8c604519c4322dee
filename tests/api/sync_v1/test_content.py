import asyncio
import random

import httpx
import pytest

from syncd.core.file import Kind
from tests.api.fakes import House

DATA = random.Random(3).randbytes(10_500)


@pytest.fixture
def fid(house: House) -> str:
    return house.files.add("d/f.bin", DATA, mimetype="image/png")


async def test_the_whole(http, house, fid):
    answer = await http.get(f"/files/{fid}/content")

    assert (answer.status_code, answer.content) == (200, DATA)
    headers = answer.headers
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == "10500"
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Content-Disposition"].startswith('attachment; filename="f.bin"')
    assert headers["ETag"].startswith('"')
    assert house.children.closed == 1


async def test_an_awkward_name_and_no_type(http, house):
    fid = house.files.add('d/ä"\n;', b"x", mimetype="no\r\ntype")

    answer = await http.get(f"/files/{fid}/content")

    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"___;\"; filename*=UTF-8''%C3%A4%22%0A%3B"
    )


async def test_nothing(http, house):
    fid = house.files.add("empty", b"")

    answer = await http.get(f"/files/{fid}/content")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == "0"
    assert house.children.asked == []


async def test_head_asks_no_child(http, house, fid):
    answer = await http.head(f"/files/{fid}/content", headers={"Range": "bytes=0-1"})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == "10500"
    assert house.children.asked == []


@pytest.mark.parametrize(
    ("said", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=500-2499", 500, 2500),
        ("bytes=10000-", 10_000, 10_500),
        ("bytes=-500", 10_000, 10_500),
        ("bytes=10499-99999", 10_499, 10_500),
    ],
)
async def test_a_part(http, fid, said, start, end):
    answer = await http.get(f"/files/{fid}/content", headers={"Range": said})

    assert (answer.status_code, answer.content) == (206, DATA[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/10500"
    assert answer.headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize("said", ["bytes=0-1,5-6", "bytes=9-1", "nonsense", "bytes=x-"])
async def test_what_is_no_part_is_the_whole(http, fid, said):
    answer = await http.get(f"/files/{fid}/content", headers={"Range": said})

    assert (answer.status_code, answer.content) == (200, DATA)


async def test_a_part_that_is_not_there(http, fid):
    answer = await http.get(f"/files/{fid}/content", headers={"Range": "bytes=10500-"})

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */10500"
    assert answer.json() == {"status": "error", "reason": "the content has 10500 bytes"}


async def test_tags(http, house, fid):
    tag = (await http.get(f"/files/{fid}/content")).headers["ETag"]

    known = await http.get(f"/files/{fid}/content", headers={"If-None-Match": tag})
    head = await http.head(
        f"/files/{fid}/content", headers={"If-None-Match": f"W/{tag}"}
    )
    other = await http.get(f"/files/{fid}/content", headers={"If-None-Match": '"x"'})

    assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", tag)
    assert head.status_code == 304
    assert other.status_code == 200
    house.files.add("d/f.bin", DATA + b"!")
    assert (await http.get(f"/files/{fid}/content")).headers["ETag"] != tag


async def test_the_digest_is_the_tag_once_it_is_known(http, house):
    fid = house.files.add("f", b"x", digest="ab" * 32)

    assert (await http.get(f"/files/{fid}/content")).headers["ETag"] == f'"{"ab" * 32}"'


async def test_a_part_of_another_version_is_the_whole(http, fid):
    tag = (await http.get(f"/files/{fid}/content")).headers["ETag"]
    part = {"Range": "bytes=0-9"}

    same = await http.get(f"/files/{fid}/content", headers={**part, "If-Range": tag})
    other = await http.get(f"/files/{fid}/content", headers={**part, "If-Range": '"x"'})
    weak = await http.get(
        f"/files/{fid}/content", headers={**part, "If-Range": f"W/{tag}"}
    )

    assert [same.status_code, other.status_code, weak.status_code] == [206, 200, 200]


async def test_the_next_source_is_asked(http, house, fid):
    house.files.sources = ["A", "B"]
    house.children.failing = {"A": 0}

    answer = await http.get(f"/files/{fid}/content")

    assert answer.content == DATA
    assert house.children.asked == ["A", "B"]
    assert house.children.closed == 2


async def test_no_source_gives_it(http, house, fid):
    house.files.sources = ["A", "B"]
    house.children.failing = {"A": 0, "B": 0}

    answer = await http.get(f"/files/{fid}/content")

    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/json"
    assert "changed on A" in answer.json()["reason"]
    assert "changed on B" in answer.json()["reason"]
    assert "Content-Disposition" not in answer.headers


async def test_no_source_is_there(http, house, fid):
    house.files.sources = []

    answer = await http.get(f"/files/{fid}/content")

    assert answer.status_code == 503


@pytest.mark.parametrize("trouble", ["fails", "short", "long"])
async def test_a_broken_answer_never_looks_whole(http, house, fid, trouble, caplog):
    house.files.sources = ["A", "B"]
    if trouble == "fails":
        house.children.failing = {"A": 5000}
    elif trouble == "short":
        house.children.short = 10
    else:
        house.children.extra = b"more"

    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(f"/files/{fid}/content")

    assert house.children.closed == 1
    assert (await http.get("/entries")).status_code == 200
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


@pytest.mark.parametrize("kind", [Kind.DIRECTORY, Kind.LINK])
async def test_what_has_no_content(http, house, kind):
    fid = house.files.add("d", kind=kind)

    answer = await http.get(f"/files/{fid}/content")

    assert answer.status_code == 409
    assert f"is a {kind}" in answer.json()["reason"]


async def test_a_slow_client_holds_the_source_back(house, server, port):
    size = 64 << 20
    fid = house.files.add("big", bytes(size))
    house.children.chunk = 1 << 20
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /api/v1.0/files/{fid}/content HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.3)

    assert house.children.given < 32

    writer.close()
    while not house.children.closed:
        await asyncio.sleep(0.01)
