"""What takes too long ends, and the connection is as good as before."""

import pytest
from sqlalchemy.exc import DatabaseError

from syncd.errors import BadRequest
from syncd.store import patience
from syncd.store.database import Store

FOR_EVER = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
    "SELECT count(*) FROM n"
)


async def test_what_would_take_for_ever_ends(store: Store, monkeypatch):
    monkeypatch.setattr(patience, "LONGEST", 0.1)

    def search(db):
        with patience.limited(db):
            db.exec_driver_sql(FOR_EVER).all()

    with pytest.raises(BadRequest, match="ask with fewer filters"):
        await store.read(search)


async def test_whoever_comes_later_has_all_the_time(store: Store, monkeypatch):
    monkeypatch.setattr(patience, "LONGEST", -1.0)
    many = f"{FOR_EVER.replace('FROM n)', 'FROM n WHERE x < 50000)')}"

    def search(db):
        with patience.limited(db):
            assert db.exec_driver_sql("SELECT 1").scalar() == 1
        return db.exec_driver_sql(many).scalar()

    assert await store.read(search) == 50_000


async def test_other_faults_are_what_they_are(store: Store):
    def search(db):
        with patience.limited(db):
            db.exec_driver_sql("SELECT nonsense")

    with pytest.raises(Exception, match="nonsense") as found:
        await store.read(search)
    assert isinstance(found.value.__cause__, DatabaseError)
