"""Events: one for each line, cut in lists."""

from syncd.store.cyborg import output
from tests.api.cyborg.test_jobs import job


async def test_one_is_shown_with_all_its_keys(ask, place):
    await job(place, status="running")
    await place.store.run(output.add, 1, ["hello", "x" * 2000], 1.5e9)

    said = await ask.get("job_events/1/")

    assert said == {
        "id": 1,
        "type": "job_event",
        "url": "/api/v1/job_events/1/",
        "related": {"job": "/api/v1/jobs/1/"},
        "summary_fields": {
            "job": {
                "id": 1,
                "name": "j",
                "status": "running",
                "failed": False,
                "elapsed": 0.0,
            }
        },
        "created": "2017-07-14T02:40:00Z",
        "modified": "2017-07-14T02:40:00Z",
        "job": 1,
        "event": "verbose",
        "counter": 1,
        "event_display": "Verbose",
        "event_data": {},
        "event_level": 0,
        "failed": False,
        "changed": False,
        "uuid": "",
        "task": "",
        "stdout": "hello",
        "start_line": 0,
        "end_line": 1,
        "verbosity": 0,
    }
    listed = await ask.listed("job_events/?job=1&order=counter", "stdout")
    assert listed == ["hello", "x" * 1023 + "\N{HORIZONTAL ELLIPSIS}"]
    assert (await ask.get("job_events/2/"))["stdout"] == "x" * 2000
    assert (await ask("POST", "job_events/", {})).status_code == 405
