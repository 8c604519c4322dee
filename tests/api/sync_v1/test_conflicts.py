import pytest

from syncd.api.rooms import ConflictState, ConflictView, SideView
from syncd.core import path as paths
from syncd.core.file import Kind


def a_conflict(name: str, of: str) -> ConflictView:
    return ConflictView(
        fid=paths.fid(name),
        filename=name,
        state=ConflictState.KEPT,
        conflict_of=of,
        conflict_of_fid=paths.fid(of),
        size=3,
        mtime=1.5,
        owners=["A"],
        uptodate=["A"],
    )


async def test_conflicts(http, house):
    house.files.lost = [a_conflict(f"x (conflict {n})", "x") for n in range(30)]

    body = (await http.get("/conflicts")).json()
    rest = (await http.get("/conflicts?offset=29&limit=5")).json()

    assert (len(body["conflicts"]), body["total"]) == (20, 30)
    assert rest["conflicts"] == [
        {
            "fid": paths.fid("x (conflict 29)"),
            "filename": "x (conflict 29)",
            "state": "kept",
            "conflict_of": "x",
            "conflict_of_fid": paths.fid("x"),
            "size": 3,
            "mtime": 1.5,
            "owners": ["A"],
            "uptodate": ["A"],
        }
    ]


async def test_what_waits_for_a_person_shows_its_sides(http, house):
    sides = [
        SideView(entry="A", kind=Kind.FILE, size=3, mtime=1.5, digest="ab"),
        SideView(entry="B", kind=Kind.LINK, size=4, mtime=2.5),
    ]
    house.files.lost = [
        ConflictView(
            fid=paths.fid("x"),
            filename="x",
            state=ConflictState.DISPUTED,
            sides=sides,
            size=3,
            mtime=1.5,
            owners=["A", "B"],
            uptodate=["A"],
        )
    ]
    [shown] = (await http.get("/conflicts")).json()["conflicts"]

    assert (shown["state"], "conflict_of" in shown) == ("disputed", False)
    assert shown["sides"] == [
        {"entry": "A", "kind": "file", "size": 3, "mtime": 1.5, "digest": "ab"},
        {"entry": "B", "kind": "link", "size": 4, "mtime": 2.5},
    ]


@pytest.mark.parametrize("keep", ["A", "both"])
async def test_a_decision(http, house, keep):
    fid = house.files.add("x")
    answer = await http.post(f"/conflicts/{fid.upper()}/resolve", json={"keep": keep})

    assert (answer.status_code, answer.json()) == (200, {"fid": fid, "status": "ok"})
    assert house.conflicts.decided == [(fid, keep)]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"keep": "Žofie ☂"}, 409, "holds no side of it; choose from A, B"),
        ({"keep": "Z"}, 400, "entry Z not found"),
        ({"keep": ""}, 400, 'the body must be {"keep": ENTRY}'),
        ({"keep": None}, 400, 'the body must be {"keep": ENTRY}'),
        ({"keep": ["A"]}, 400, 'the body must be {"keep": ENTRY}'),
        ({"keep": "A", "and": "B"}, 400, 'the body must be {"keep": ENTRY}'),
        ({}, 400, 'the body must be {"keep": ENTRY}'),
        (["A"], 400, 'the body must be {"keep": ENTRY}'),
        ("A", 400, 'the body must be {"keep": ENTRY}'),
    ],
)
async def test_decisions_that_are_none(http, house, body, status, reason):
    fid = house.files.add("x")
    answer = await http.post(f"/conflicts/{fid}/resolve", json=body)

    assert answer.status_code == status
    assert reason in answer.json()["reason"]
    assert house.conflicts.decided == []


@pytest.mark.parametrize("fid", ["x", "91473751-8e49-5240-b03c-96547fcd86dc"])
async def test_decisions_about_nothing(http, fid):
    answer = await http.post(f"/conflicts/{fid}/resolve", json={"keep": "A"})

    assert answer.status_code == 404


@pytest.mark.parametrize("query", ["limit=1001", "offset=-1", "path=x", "limit="])
async def test_wrong_parameters(http, query):
    assert (await http.get(f"/conflicts?{query}")).status_code == 400
