import pytest

from syncd.api.rooms import ConflictView
from syncd.core import path as paths


def a_conflict(name: str, of: str) -> ConflictView:
    return ConflictView(
        fid=paths.fid(name),
        filename=name,
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
            "conflict_of": "x",
            "conflict_of_fid": paths.fid("x"),
            "size": 3,
            "mtime": 1.5,
            "owners": ["A"],
            "uptodate": ["A"],
        }
    ]


@pytest.mark.parametrize("query", ["limit=1001", "offset=-1", "path=x", "limit="])
async def test_wrong_parameters(http, query):
    assert (await http.get(f"/conflicts?{query}")).status_code == 400
