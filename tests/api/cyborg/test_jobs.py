"""Jobs: shown with what belongs to them, made, changed while new, forgotten."""

from typing import Any

import pytest

from syncd.api.cyborg import jobs
from syncd.api.cyborg.jobs import NEW
from syncd.store.cyborg import output, tables


async def job(place: Any, **said: Any) -> int:
    """Keep a job, and return its number."""
    row = {
        **NEW,
        "created": 1.5e9,
        "modified": 1.5e9,
        "name": "j",
        "launch_type": "manual",
        "job_type": "job",
        **said,
    }

    def added(db: Any) -> int:
        done = db.execute(tables.jobs.insert().values(**row))
        number: int = done.inserted_primary_key[0]
        return number

    number: int = await place.store.run(added)
    return number


@pytest.fixture
async def estate(ask):
    await ask.made("schedules/", name="s", crontab="0 5 * * *")
    await ask.made("repositories/", name="r", path="/r", repository_key="k")
    await ask.made("clients/", hostname="lab", bandwidth_limit=5)
    await ask.made("policies/", name="p", schedule=1, repository=1, clients=[1])
    return ask


async def test_one_is_shown_with_all_its_keys(estate, place):
    await job(
        place,
        status="successful",
        policy_id=1,
        client_id=1,
        started=1.5e9,
        finished=1.5e9 + 2.5,
        elapsed=2.5,
        job_env='{"BORG_REPO": "/r", "BORG_PASSPHRASE": "hush"}',
        archive_name="rootfs-lab-2018-11-23_22-02",
    )

    said = await estate.get("jobs/1/")

    assert list(said) == [
        *("id", "type", "url", "related", "summary_fields", "created", "modified"),
        *("created_by", "modified_by", "name", "launch_type", "status", "policy"),
        *("failed", "started", "finished", "elapsed", "job_args", "original_size"),
        *("compressed_size", "deduplicated_size", "archive_name", "job_cwd"),
        *("job_env", "job_explanation", "client", "repository", "master_job"),
        *("dependent_jobs", "result_traceback", "event_processing_finished"),
        "job_type",
    ]
    assert said["related"] == {
        "job_events": "/api/v1/jobs/1/job_events/",
        "stdout": "/api/v1/jobs/1/stdout/",
        "policy": "/api/v1/policies/1/",
    }
    assert said["summary_fields"] == {
        "policy": {"id": 1, "name": "p", "policy_type": "rootfs"},
        "schedule": {"id": 1, "name": "s"},
        "client": {"id": 1, "hostname": "lab", "bandwidth_limit": 5},
        "repository": {"id": 1, "name": "r"},
    }
    assert said["started"] == "2017-07-14T02:40:00Z"
    assert said["finished"] == "2017-07-14T02:40:02.500000Z"
    assert (said["elapsed"], said["repository"]) == (2.5, None)
    assert said["job_env"] == {"BORG_REPO": "/r", "BORG_PASSPHRASE": "$encrypted$"}


async def test_time_goes_on_while_one_runs(ask, place):
    place.records.now = lambda: 1.5e9 + 7
    await job(place, status="running", started=1.5e9)

    assert (await ask.get("jobs/1/"))["elapsed"] == 7.0


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("status__in=new,running,failed", [3, 2]),
        ("or__status=failed&or__status=error", [3]),
        ("archive_name__isnull=False&not__archive_name=", [1]),
        ("archive_name=a", [1]),
        ("client=1", [1]),
        ("client__hostname=lab", [1]),
        ("policy=none", [3, 2]),
        ("failed=true", [3]),
        ("search=J", [3, 2, 1]),
    ],
)
async def test_what_the_console_asks_for(estate, place, query, ids):
    await job(place, status="successful", archive_name="a", client_id=1, policy_id=1)
    await job(place, status="running", archive_name=None)
    await job(place, status="failed", failed=True)

    assert await estate.listed(f"jobs/?{query}") == ids


async def test_archives_by_name(ask, place):
    for name in ("a", "b", "b", "", None):
        await job(place, archive_name=name)

    said = await ask.get(
        "jobs/?fields=archive_name&not__archive_name=&archive_name__isnull=False"
        "&order=-archive_name&page_size=10000"
    )
    assert (said["count"], said["results"]) == (
        2,
        [{"archive_name": "b"}, {"archive_name": "a"}],
    )


async def test_deselecting_all_states(ask):
    assert (await ask("GET", "jobs/?status__in=")).status_code == 400


async def test_how_one_was_run_cannot_be_asked_for(ask):
    for name in ("job_args", "job_env"):
        answer = await ask("GET", f"jobs/?{name}__contains=x")
        assert (answer.status_code, answer.json()) == (
            403,
            {"detail": f"Filtering on {name} is not allowed."},
        )
    answer = await ask("GET", "jobs/?order_by=start_args")
    assert answer.json() == {"detail": "cannot order by field start_args"}


async def test_one_that_nobody_begins(estate):
    made = await estate.made("jobs/", name="by hand", client=1)

    assert (made["status"], made["archive_name"]) == ("new", "")
    assert (made["job_env"], made["client"]) == ({}, 1)
    changed = await estate("PATCH", "jobs/1/", {"name": "other"})
    assert changed.json()["name"] == "other"
    assert (await estate("DELETE", "jobs/1/")).status_code == 204
    assert (await estate("GET", "jobs/1/")).status_code == 404


async def test_one_that_was_begun_is_not_changed(ask, place):
    await job(place, status="running")

    assert (await ask("PATCH", "jobs/1/", {"name": "x"})).status_code == 405
    answer = await ask("DELETE", "jobs/1/")
    assert (answer.status_code, answer.json()) == (
        403,
        {"detail": "Cannot delete running job resource."},
    )


async def test_jobs_outlive_what_they_were_about(estate, place):
    await job(place, status="successful", client_id=1, policy_id=1, repository_id=1)
    for path in ("clients/1/", "repositories/1/", "schedules/1/"):
        assert (await estate("DELETE", path)).status_code == 204

    said = await estate.get("jobs/1/")
    assert said["summary_fields"] == {}
    assert (said["client"], said["policy"]) == (1, 1)


async def written(place: Any, *lines: str) -> None:
    await job(place, status="successful")
    await place.store.run(output.add, 1, lines[:2], 1.5e9)
    await place.store.run(output.add, 1, lines[2:], 1.5e9 + 1)


async def test_events_of_one(ask, place):
    await written(place, "first", "second", "third")

    answer = await ask("GET", "jobs/1/job_events/")
    rows = answer.json()["results"]
    assert answer.headers["X-UI-Max-Events"] == "4000"
    assert [row["stdout"] for row in rows] == ["first", "second", "third"]
    assert [(row["start_line"], row["end_line"]) for row in rows] == [
        (0, 1),
        (1, 2),
        (2, 3),
    ]
    said = await ask.get("jobs/1/job_events/?search=SEC")
    assert [row["counter"] for row in said["results"]] == [2]
    said = await ask.get("jobs/1/job_events/?fields=stdout&order=stdout&page_size=2")
    assert said["results"] == [{"stdout": "first"}, {"stdout": "second"}]
    assert (await ask("GET", "jobs/9/job_events/")).status_code == 404


@pytest.mark.parametrize("form", ["txt", "ansi", "txt_download", "ansi_download"])
async def test_output_as_text(ask, place, form):
    await written(place, *(f"line {number}" for number in range(2500)))

    answer = await ask("GET", f"jobs/1/stdout/?format={form}")

    assert answer.text == "".join(f"line {number}\n" for number in range(2500))
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    said = answer.headers.get("Content-Disposition", "")
    names = {"txt_download": "job_1.txt", "ansi_download": "job_1.ansi.txt"}
    assert said == (f'attachment; filename="{names[form]}"' if form in names else "")


async def test_output_as_json(ask, place, monkeypatch):
    await written(place, "a", "b", "c")

    assert await ask.get("jobs/1/stdout/") == {
        "range": {"start": 0, "end": 3, "absolute_end": 3},
        "content": "a\nb\nc\n",
    }
    assert await ask.get("jobs/1/stdout/?format=json&start_line=1&end_line=2") == {
        "range": {"start": 1, "end": 2, "absolute_end": 3},
        "content": "b\n",
    }
    monkeypatch.setattr(jobs, "MOST_TEXT", 4)
    for start, end, content in ((0, 2, "a\nb\n"), (2, 3, "c\n"), (3, 3, "")):
        assert await ask.get(f"jobs/1/stdout/?start_line={start}") == {
            "range": {"start": start, "end": end, "absolute_end": 3},
            "content": content,
        }
    monkeypatch.setattr(jobs, "MOST_TEXT", 1)
    said = await ask.get("jobs/1/stdout/?start_line=1&end_line=3")
    assert (said["content"], said["range"]["end"]) == ("b\n", 2)
    answer = await ask("GET", "jobs/1/stdout/?format=nope")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
