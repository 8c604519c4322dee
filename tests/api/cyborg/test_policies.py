"""Policies: what belongs together, when they run, what of them is secret."""

import json

import pytest

from syncd.store.sealing import Sealer

NOVEMBER = 1542912682.0
"""2018-11-22T18:51:22Z, a Thursday."""


@pytest.fixture
async def estate(ask, place):
    place.records.now = lambda: NOVEMBER
    await ask.made("schedules/", name="Each Monday", crontab="0 5 * * MON *")
    await ask.made("repositories/", name="Main", path="/r", repository_key="k")
    await ask.made("clients/", hostname="lab")
    return ask


def options(**said):
    return {"name": "p", "schedule": 1, "repository": 1, **said}


async def test_one_is_made_with_all_its_keys(estate):
    made = await estate.made(
        "policies/", name="Full", schedule=1, repository=1, clients=[1], keep_hourly=1
    )

    assert list(made) == [
        *("id", "type", "url", "related", "summary_fields", "created", "modified"),
        *("created_by", "modified_by", "uuid", "name", "extra_vars", "clients"),
        *("repository", "schedule", "policy_type", "keep_hourly", "keep_yearly"),
        *("keep_daily", "keep_weekly", "keep_monthly", "vmprovider", "next_run"),
        *("mode_pull", "enabled", "prehook", "posthook"),
    ]
    assert made["related"] == {
        "calendar": "/api/v1/policies/1/calendar/",
        "schedule": "/api/v1/schedules/1/",
        "repository": "/api/v1/repositories/1/",
    }
    assert made["summary_fields"] == {
        "repository": {"id": 1, "name": "Main", "path": "/r", "enabled": True},
        "schedule": {
            "id": 1,
            "name": "Each Monday",
            "crontab": "0 5 * * MON *",
            "enabled": True,
        },
    }
    assert (made["policy_type"], made["extra_vars"]) == ("rootfs", "")
    assert (made["clients"], made["keep_hourly"], made["keep_daily"]) == ([1], 1, None)
    assert made["created"] == "2018-11-22T18:51:22Z"
    assert made["next_run"] == "2018-11-26T05:00:00Z"


@pytest.mark.parametrize(
    ("said", "field", "words"),
    [
        ({"schedule": 9}, "schedule", 'Invalid pk "9" - object does not exist.'),
        (
            {"schedule": "x"},
            "schedule",
            "Incorrect type. Expected pk value, received str.",
        ),
        ({"schedule": None}, "schedule", "This field may not be null."),
        ({"policy_type": ""}, "policy_type", '"" is not a valid choice.'),
        ({"policy_type": "nope"}, "policy_type", '"nope" is not a valid choice.'),
        ({"extra_vars": {}}, "extra_vars", "Not a valid string."),
        ({"extra_vars": "x"}, "extra_vars", "This must be empty or a JSON object."),
        ({"extra_vars": "[]"}, "extra_vars", "This must be empty or a JSON object."),
        (
            {"extra_vars": '{"exclude": "/tmp"}'},
            "extra_vars",
            "exclude must be a list of texts, none of them empty.",
        ),
        (
            {"extra_vars": '{"password": "$encrypted$"}'},
            "extra_vars",
            "$encrypted$ stands for a secret that is not known; write it out.",
        ),
        (
            {"policy_type": "folders"},
            "extra_vars",
            'Say which folders, as in {"folders": ["/home"]}.',
        ),
        (
            {"policy_type": "folders", "extra_vars": '{"folders": [""]}'},
            "extra_vars",
            "folders must be a list of texts, none of them empty.",
        ),
        (
            {"policy_type": "piped", "extra_vars": '{"command": ""}'},
            "extra_vars",
            'Say which command, as in {"command": "cat FILE"}.',
        ),
        (
            {"keep_daily": -1},
            "keep_daily",
            "Ensure this value is greater than or equal to 0.",
        ),
        (
            {"vmprovider": "x" * 129},
            "vmprovider",
            "Ensure this field has no more than 128 characters.",
        ),
    ],
)
async def test_what_is_wrong_is_named(estate, said, field, words):
    assert await estate.wrong("policies/", options(**said)) == {field: [words]}


async def test_options_are_looked_at_when_the_type_changes(estate):
    await estate.made("policies/", **options())

    said = await estate.wrong("policies/1/", {"policy_type": "piped"}, "PATCH")
    assert "Say which command" in said["extra_vars"][0]
    more = {"policy_type": "piped", "extra_vars": '{"command": "true"}'}
    assert (await estate("PATCH", "policies/1/", more)).status_code == 200
    assert (await estate("PATCH", "policies/1/", {"name": "q"})).status_code == 200


async def test_put_resets_all_but_the_clients(estate):
    await estate.made("policies/", **options(clients=[1], keep_daily=3, enabled=False))

    put = (await estate("PUT", "policies/1/", options())).json()

    assert (put["clients"], put["keep_daily"], put["enabled"]) == ([1], None, True)


async def test_passwords_in_options_are_masked_and_kept(estate):
    said = json.dumps({"user": "u", "password": "hush"})
    made = await estate.made("policies/", **options(extra_vars=said))

    assert json.loads(made["extra_vars"]) == {"user": "u", "password": "$encrypted$"}
    await estate("PUT", "policies/1/", {**made, "name": "q"})
    told = await estate.get("policies/1/?secrets=show")
    assert json.loads(told["extra_vars"]) == {"user": "u", "password": "hush"}
    assert "hush" not in json.dumps(await estate.get("policies/"))


async def test_options_that_cannot_be_opened_are_set_anew(estate, place, tmp_path):
    more = options(extra_vars='{"password": "hush"}')
    await estate.made("policies/", **more)
    place.records.sealer = Sealer(tmp_path / "another.key")

    [shown] = (await estate.get("policies/"))["results"]
    assert shown["extra_vars"] == "$encrypted$"
    told = await estate("GET", "policies/1/?secrets=show")
    assert told.status_code == 503
    assert "put the right one back" in told.json()["detail"]
    assert (await estate("PATCH", "policies/1/", {"name": "q"})).status_code == 200
    answer = await estate("PATCH", "policies/1/", {"extra_vars": '{"password": "new"}'})
    assert answer.status_code == 200
    told = await estate.get("policies/1/?secrets=show")
    assert json.loads(told["extra_vars"]) == {"password": "new"}


async def test_the_calendar_is_of_this_month(estate):
    await estate.made("policies/", **options(enabled=False))

    assert await estate.get("policies/1/calendar/") == [
        f"2018-11-{day:02}T05:00:00+00:00" for day in (5, 12, 19, 26)
    ]
    await estate("PATCH", "schedules/1/", {"crontab": "* * * * *"})
    assert len(await estate.get("policies/1/calendar")) == 30 * 24 * 60
    answer = await estate("GET", "policies/1/calendar/?month=1")
    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "Policy has no field named 'month'"},
    )


async def test_those_whose_schedule_or_repository_goes_go_too(estate):
    await estate.made("policies/", **options(clients=[1]))

    assert (await estate("DELETE", "repositories/1/")).status_code == 204

    assert (await estate.get("policies"))["count"] == 0
    assert (await estate.get("clients/1"))["summary_fields"] == {}


async def test_no_module_is_there(estate):
    assert await estate.get("policies/vmmodule/") == []
