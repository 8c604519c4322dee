"""The log of who did what: newest first, kept for a while."""

from syncd.store import audit
from syncd.store.audit import Line, Outcome
from syncd.store.database import Store


def line(number: int) -> Line:
    return Line(
        at=float(number),
        who="a@example.org",
        means="password",
        address="127.0.0.1",
        action="PUT /api/v1.0/rules",
        target=f"/{number}",
        outcome=Outcome.DONE,
        status=200,
    )


async def test_lines_are_read_newest_first_and_by_pages(store: Store):
    lines = [line(number) for number in range(5)]
    await store.run(audit.add, lines[:3])
    await store.run(audit.add, lines[3:])
    await store.run(audit.add, [])

    async def page(offset: int, limit: int) -> tuple[int, list[Line]]:
        return await store.read(lambda db: audit.page(db, offset=offset, limit=limit))

    assert await page(0, 10) == (5, lines[::-1])
    assert await page(1, 2) == (5, [lines[3], lines[2]])
    assert await page(5, 2) == (5, [])


async def test_old_lines_are_forgotten(store: Store):
    await store.run(audit.prune, 10.0)
    await store.run(audit.add, [line(number) for number in range(20)])

    await store.run(audit.prune, 10.0)
    total, [newest] = await store.read(lambda db: audit.page(db, offset=0, limit=1))
    assert (total, newest.at) == (10, 19.0)

    await store.run(audit.prune, 10.0, 4)
    _, left = await store.read(lambda db: audit.page(db, offset=0, limit=9))
    assert [one.at for one in left] == [19.0, 18.0, 17.0, 16.0]
