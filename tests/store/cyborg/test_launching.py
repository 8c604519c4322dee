"""Launches: chains of jobs that follow one another, whatever becomes of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, event, select

from syncd.core.chain import ENDED, STATUS
from syncd.core.job import Event, Job, Kind, State, ended, started
from syncd.errors import BadRequest, Conflict, NotFound
from syncd.store import database
from syncd.store.cyborg import keeping, launching, output, tables
from syncd.store.cyborg.keeping import By
from syncd.store.cyborg.launching import Launch

BY = By("nobody@x.org", 1000.0)


@contextmanager
def furnished() -> Iterator[Connection]:
    """Lend an index in memory with a policy."""
    engine = create_engine("sqlite://")
    event.listen(engine, "connect", database.prepare)
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        furnish(connection)
        yield connection
    engine.dispose()


@pytest.fixture
def db() -> Iterator[Connection]:
    with furnished() as db:
        yield db


def furnish(db: Connection) -> None:
    """Keep a policy with three clients, of which one is disabled."""
    keeping.add(
        db, "schedules", {"name": "s", "crontab": "* * * * *", "enabled": True}, BY
    )
    sizes = dict.fromkeys(("original_size", "compressed_size", "deduplicated_size"), 0)
    keeping.add(
        db,
        "repositories",
        {"name": "r", "path": "/r", "repository_key": "k", **sizes}
        | {"ready": True, "enabled": True},
        BY,
    )
    for host, enabled in (("web", True), ("off", False), ("db", True)):
        flags = ("ready", "hypervisor_ready", "mark_as_to_update", "behind_firewall")
        texts = ("ip", "version", "hypervisor_name")
        keeping.add(
            db,
            "clients",
            {**dict.fromkeys(flags, False), **dict.fromkeys(texts, "")}
            | {"hostname": host, "port": 22, "enabled": enabled},
            BY,
        )
    keeping.add(
        db,
        "policies",
        {"name": "p", "schedule": 1, "repository": 1, "clients": [1, 2, 3]}
        | {"extra_vars": "", "policy_type": "rootfs", "vmprovider": "", "prehook": ""}
        | {"posthook": "", "mode_pull": False, "enabled": True, "keep_daily": 7},
        BY,
    )


def row(db: Connection, number: int) -> Any:
    return db.execute(select(tables.jobs).where(tables.jobs.c.id == number)).one()


def statuses(db: Connection) -> list[str]:
    jobs = tables.jobs.c
    return list(db.execute(select(jobs.status).order_by(jobs.id)).scalars())


def engines(id: str) -> Job:
    said = {"kind": Kind.BACKUP, "asked": {}, "source": "s", "store": "full"}
    return Job(id=id, **said, who="me", created=1000.0)  # type: ignore[arg-type]


def runs(db: Connection, number: int, event: Event = Event.SUCCEED) -> list[int]:
    """Have the engine do a job, and return what can begin then."""
    id = f"engine-{number}"
    launching.begun(db, number, id)
    job = started(engines(id), 1001.0)
    assert launching.reflect(db, job) == []
    assert row(db, number).status == "running"
    return launching.reflect(db, ended(job, event, 1003.5, error="why"))


def test_a_chain(db):
    numbers = launching.launch(db, Launch(policy=1), BY)

    assert numbers == [1, 2, 3, 4, 5, 6]
    rows = [row(db, number) for number in numbers]
    assert [one.name for one in rows[:3]] == [
        "Backup Job p web",
        "Catalog Job p web",
        "Prune Job p web",
    ]
    assert [one.dependent_jobs_id for one in rows] == [2, 3, 6, 5, 6, None]
    assert [one.master_job_id for one in rows] == [None, 1, 2, None, 4, 5]
    assert [one.client_id for one in rows] == [1, 1, 1, 3, 3, 3]
    assert {(one.policy_id, one.repository_id) for one in rows} == {(1, 1)}
    assert [one.launch_type for one in rows] == ["manual"] + ["dependency"] * 5
    assert statuses(db) == ["pending", "waiting", "waiting"] * 2
    assert launching.ready(db) == [1, 4]


def test_what_cannot_be_launched(db):
    with pytest.raises(NotFound, match="No Policy matches"):
        launching.launch(db, Launch(policy=9), BY)
    launching.launch(db, Launch(policy=1), BY)
    with pytest.raises(Conflict, match="already running for theses clients"):
        launching.launch(db, Launch(policy=1), BY)
    keeping.change(db, "policies", 1, {"clients": [2]}, BY)
    with pytest.raises(BadRequest, match="No client of this policy is enabled"):
        launching.launch(db, Launch(policy=1), BY)


def test_nothing_is_given_up_where_nothing_says_what_to_keep(db):
    keeping.change(db, "policies", 1, {"keep_daily": None, "clients": [1]}, BY)

    numbers = launching.launch(db, Launch(policy=1), BY)

    assert [row(db, one).job_type for one in numbers] == ["job", "catalog"]


def test_one_follows_another(db):
    launching.launch(db, Launch(policy=1), BY)

    assert runs(db, 1) == [2]
    assert (row(db, 1).status, row(db, 1).elapsed) == ("successful", 2.5)
    assert runs(db, 2) == [3]
    assert runs(db, 3) == []
    assert statuses(db)[3:] == ["pending", "waiting", "waiting"]
    assert runs(db, 4) == [5]
    assert runs(db, 5) == [6]
    assert runs(db, 6) == []
    assert statuses(db) == ["successful"] * 6


def test_the_last_of_all_waits_for_the_other_clients_too(db):
    launching.launch(db, Launch(policy=1), BY)

    assert runs(db, 4) == [5]
    assert runs(db, 5) == []
    assert statuses(db)[5] == "waiting"
    assert [runs(db, 1), runs(db, 2), runs(db, 3)] == [[2], [3], [6]]


def test_nothing_is_given_up_after_a_backup_that_failed(db):
    launching.launch(db, Launch(policy=1), BY)

    assert runs(db, 1, Event.FAIL) == []

    assert statuses(db)[:3] == ["failed", "canceled", "canceled"]
    assert row(db, 1).failed
    assert row(db, 1).job_explanation == "why"
    assert row(db, 3).job_explanation == "Catalog Job p web (job 2) did not succeed"
    # The other client's go on.
    assert [runs(db, 4), runs(db, 5), runs(db, 6)] == [[5], [6], []]


def test_files_that_could_not_be_listed_keep_nobody_from_anything(db):
    launching.launch(db, Launch(policy=1), BY)
    runs(db, 1)

    assert runs(db, 2, Event.FAIL) == [3]


def test_one_that_has_not_begun_is_canceled_at_once(db):
    launching.launch(db, Launch(policy=1), BY)

    assert launching.cancel(db, 1, 1002.0) == []
    assert statuses(db)[:3] == ["canceled", "canceled", "canceled"]
    for number in (1, 4):
        launching.begun(db, number, str(number))
        with pytest.raises(Conflict, match="has begun, or ended"):
            launching.cancel(db, number, 1002.0)
    with pytest.raises(NotFound):
        launching.cancel(db, 99, 1002.0)


def test_one_that_was_forgotten_keeps_nobody_from_ending(db):
    launching.launch(db, Launch(policy=1), BY)
    runs(db, 4, Event.FAIL)
    for number in (5, 6):
        output.forget(db, number)

    assert [runs(db, 1), runs(db, 2), runs(db, 3)] == [[2], [3], []]
    assert statuses(db) == ["successful"] * 3 + ["failed"]


def test_jobs_that_are_none_of_a_machine(db):
    assert launching.reflect(db, engines("other")) == []


def test_what_ended_stays_as_it_is(db):
    launching.launch(db, Launch(policy=1), BY)
    runs(db, 1, Event.FAIL)

    assert launching.reflect(db, started(engines("engine-1"), 1010.0)) == []
    assert row(db, 1).status == "failed"


OUTCOMES = st.sampled_from([Event.SUCCEED, Event.FAIL, Event.INTERRUPT, None])


@given(outcomes=st.lists(OUTCOMES, min_size=6, max_size=6), turns=st.randoms())
@settings(max_examples=60, deadline=None)
def test_every_chain_ends_whatever_becomes_of_its_jobs(outcomes, turns):
    with furnished() as db:
        check_that_it_ends(db, outcomes, turns)


def check_that_it_ends(db: Connection, outcomes: list[Any], turns: Any) -> None:
    numbers = launching.launch(db, Launch(policy=1), BY)
    while waiting := launching.ready(db):
        number = turns.choice(waiting)
        outcome = outcomes[numbers.index(number)]
        if outcome is None:
            launching.cancel(db, number, 1002.0)
        else:
            runs(db, number, outcome)

    found = [row(db, number) for number in numbers]
    assert {one.status for one in found} <= ENDED
    for one in found:
        backup = found[0] if one.client_id == 1 else found[3]
        if one.job_type == "prune" and backup.status != "successful":
            assert one.engine_id is None
            assert one.status == "canceled"


def test_states_of_the_engine_are_all_known():
    assert {STATUS[state] for state in State} - ENDED == {
        "pending",
        "running",
    }
