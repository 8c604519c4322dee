"""What a worker is told to do."""

from syncd.backup.errands import for_borg
from syncd.backup.logs import Logs
from syncd.core.borg.tasks import FetchHostKeys
from syncd.core.errand import Deed
from syncd.core.job import Job, Kind


def test_a_task_for_borg_is_one_deed_whatever_kind_of_job_it_is(tmp_path):
    job = Job(
        id="7",
        kind=Kind.PREPARE,
        asked={},
        source="s",
        store="v",
        who="me",
        created=1.0,
    )
    task = FetchHostKeys(host="web")

    work = for_borg(task, job, Logs(tmp_path))

    assert (work.deed, work.borg, work.who, work.made) == (Deed.BORG, task, "me", 1.0)
    assert work.log.startswith(str(tmp_path))
    assert work.scratch != work.log
