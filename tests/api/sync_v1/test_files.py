import base64
from urllib.parse import quote_from_bytes

import pytest

from syncd.core import path as paths
from tests.api.fakes import House

NOBODY = "00000000-0000-5000-8000-000000000000"


@pytest.fixture
def house() -> House:
    house = House()
    for number in range(45):
        house.files.add(f"many/{number:02}", b"x" * number)
    house.files.add("photos/foo.jpg", b"x" * 12345, mimetype="image/jpeg")
    house.files.add("photos2", owners=["B"], uptodate=[], state="pending")
    return house


async def test_the_shape_of_a_page(http):
    answer = await http.get("/files?path=photos/foo.jpg")

    assert answer.json() == {
        "files": [
            {
                "fid": "0fe87082-01a2-5468-83f6-6171eb061fe4",
                "filename": "photos/foo.jpg",
                "size": 12345,
                "owners": ["A", "B"],
                "uptodate": ["A", "B"],
                "mimetype": "image/jpeg",
                "kind": "file",
                "mtime": 1406628978.25,
                "state": "uptodate",
            }
        ],
        "total": 1,
    }


@pytest.mark.parametrize(
    ("query", "shown", "total"),
    [
        ("", 20, 47),
        ("?offset=40", 7, 47),
        ("?offset=47", 0, 47),
        ("?offset=9223372036854775807", 0, 47),
        ("?limit=1", 1, 47),
        ("?limit=1000", 47, 47),
        ("?offset=2&limit=3", 3, 47),
        ("?path=many", 20, 45),
        ("?path=/many/", 20, 45),
        ("?path=/", 20, 47),
        ("?path=", 20, 47),
        ("?path=photos", 1, 1),
        ("?path=nothing", 0, 0),
        ("?owner=A", 20, 46),
        ("?state=pending", 1, 1),
        ("?state=blocked", 0, 0),
        ("?path=photos2&owner=B&state=pending&limit=9&offset=0", 1, 1),
    ],
)
async def test_pages_and_filters(http, query, shown, total):
    answer = await http.get(f"/files{query}")

    assert answer.status_code == 200
    assert len(answer.json()["files"]) == shown
    assert answer.json()["total"] == total


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("offset=-1", "offset must be a whole number from 0 to"),
        ("offset=abc", "not 'abc'"),
        ("offset=", "not ''"),
        ("offset=1.5", "not '1.5'"),
        ("offset=%201", "not ' 1'"),
        ("offset=+1", "not ' 1'"),
        ("offset=%D9%A1", "offset must be"),
        ("offset=1_0", "offset must be"),
        ("offset=9223372036854775808", "offset must be"),
        ("offset=" + "9" * 5000, "offset must be"),
        ("offset=%ff", "offset must be"),
        ("limit=0", "limit must be a whole number from 1 to 1000"),
        ("limit=1001", "limit must be a whole number from 1 to 1000, not '1001'"),
        ("limit=-20", "limit must be"),
        ("limit=all", "limit must be"),
        ("limit=1&limit=2", "limit is given 2 times"),
        ("limit=1&offset=1&offset=1", "offset is given 2 times"),
        ("page=2", "unknown parameter 'page': known are offset, limit, path, owner"),
        ("Limit=2", "unknown parameter 'Limit'"),
        ("%ff=2", "unknown parameter"),
        ("=2", "unknown parameter ''"),
        ("state=lost", "state must be one of uptodate, pending, blocked, conflict"),
        ("state=", "state must be one of"),
        ("state=%ff", "state is not UTF-8"),
        ("owner=%ff", "owner is not UTF-8"),
        ("owner=C", "owner: entry C not found"),
        ("path=..", "not a path inside an entry: '..'"),
        ("path=a/../b", "not a path inside an entry"),
        ("path=a//b", "not a path inside an entry"),
        ("path=./a", "not a path inside an entry"),
        ("path=a%00b", "not a path inside an entry"),
    ],
)
async def test_wrong_parameters(http, query, reason):
    answer = await http.get(f"/files?{query}")

    assert answer.status_code == 400
    assert answer.json().keys() == {"status", "reason"}
    assert reason in answer.json()["reason"]


async def test_names_that_are_not_utf_8(http, house):
    raw = b"odd/\xff\xfe n\xc3\xa4me"
    fid = house.files.add(
        paths.from_bytes(raw), filename_base64=base64.b64encode(raw).decode()
    )

    listed = await http.get(f"/files?path={quote_from_bytes(raw)}")
    below = await http.get("/files?path=odd")
    one = await http.get(f"/files/{fid}/metadata")

    assert listed.json()["files"] == below.json()["files"] == [one.json()]
    assert one.json()["filename"] == "odd/\\xff\\xfe näme"
    assert base64.b64decode(one.json()["filename_base64"]) == raw


async def test_metadata(http, house):
    fid = house.files.add("toto", b"x" * 256, digest="ab" * 32)

    answer = await http.get(f"/files/{fid}/metadata")
    same = await http.get(f"/files/{fid.upper()}/metadata/")

    assert answer.json() == same.json()
    assert answer.json() == {
        "fid": "91473751-8e49-5240-b03c-96547fcd86dc",
        "filename": "toto",
        "size": 256,
        "owners": ["A", "B"],
        "uptodate": ["A", "B"],
        "kind": "file",
        "mtime": 1406628978.25,
        "digest": "ab" * 32,
        "state": "uptodate",
    }


async def test_the_story_of_a_file(http, house):
    fid = house.files.add("toto")

    body = (await http.get(f"/files/{fid}/explain")).json()

    assert body["file"]["filename"] == "toto"
    assert body["rules"] == [
        {"number": 1, "rule": {"match": {"path": "/"}, "sync": ["A"]}}
    ]
    assert body["entries"][0]["because"] == "rule 1 syncs it here"


@pytest.mark.parametrize("what", ["metadata", "explain", "content"])
@pytest.mark.parametrize(
    "fid", [NOBODY, "nonsense", "1", NOBODY + "0", "%E2%98%82", "..%2f..%2fetc", "%00"]
)
async def test_files_that_are_not_there(http, what, fid):
    answer = await http.get(f"/files/{fid}/{what}")

    assert answer.status_code == 404
    assert answer.json()["status"] == "error"
    assert "not found" in answer.json()["reason"]


async def test_an_unknown_file_is_named(http):
    answer = await http.get(f"/files/{NOBODY}/metadata")

    assert answer.json() == {"status": "error", "reason": f"file {NOBODY} not found"}
