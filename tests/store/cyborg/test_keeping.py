"""Records: what follows when one is kept, changed or removed."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from syncd.errors import Conflict
from syncd.store.cyborg import finding, keeping, tables
from tests.store.cyborg.test_launching import BY, furnished

MONDAY = datetime(2018, 11, 26, 5, tzinfo=UTC)


def test_what_was_removed_meanwhile_is_not_named():
    with furnished() as db:
        for said in ({"schedule": 9}, {"repository": 9}, {"clients": [1, 9]}):
            with pytest.raises(Conflict, match="it was removed just now"):
                keeping.change(db, "policies", 1, said, BY)
        found, beside = finding.one(db, "policies", 1)
        assert (found.schedule_id, beside.clients_of) == (1, {1: [1, 2, 3]})


def test_when_it_runs_next():
    now = datetime(2018, 11, 22, tzinfo=UTC)

    assert keeping.next_run("0 5 * * MON *", now) == MONDAY.timestamp()
    assert keeping.next_run("0 0 31 2 *", now) is None
    assert keeping.next_run("nonsense", now) is None


def test_all_that_go_by_one_schedule_are_looked_at_once(monkeypatch):
    with furnished() as db:
        row = db.execute(select(tables.policies)).mappings().one()
        for number in range(2, 12):
            db.execute(tables.policies.insert().values({**row, "id": number}))
        asked = []

        def looked(text: str, now: datetime) -> float:
            asked.append(text)
            return 5.0

        monkeypatch.setattr(keeping, "next_run", looked)

        keeping.change(db, "schedules", 1, {"crontab": "0 0 31 2 *"}, BY)

        assert asked == ["0 0 31 2 *"]
        runs = db.execute(select(tables.policies.c.next_run)).scalars().all()
        assert runs == [5.0] * 11


def test_a_policy_that_goes_leaves_no_members():
    with furnished() as db:
        keeping.remove(db, "policies", 1)

        _, beside = finding.one(db, "clients", 1)
        assert beside.policies_of == {}


def test_beside_a_job_is_what_its_policy_names():
    with furnished() as db:
        job = {"name": "j", "launch_type": "manual", "job_type": "job", "status": "new"}
        texts = ("job_args", "job_cwd", "job_env", "job_explanation", "extra_vars")
        job |= dict.fromkeys([*texts, "result_traceback"], "")
        sizes = ("original_size", "compressed_size", "deduplicated_size", "elapsed")
        more = dict.fromkeys(sizes, 0)
        flags = {"failed": False, "event_processing_finished": False}
        number = keeping.add(db, "jobs", {**job, **more, **flags, "policy": 1}, BY)

        found, beside = finding.one(db, "jobs", number)

        assert beside.get("schedules", 1).name == "s"
        assert beside.get("repositories", 1).name == "r"
        assert beside.get("clients", found.client_id) is None
