"""Schedules: their crontabs are looked at, and policies follow them."""

import pytest


async def test_one_is_made_with_all_its_keys(ask):
    made = await ask.made("schedules/", name="Minutes", crontab="*/1 * * * * *")

    assert list(made) == [
        *("id", "type", "url", "related", "summary_fields", "created", "modified"),
        *("created_by", "modified_by", "name", "crontab", "enabled", "uuid"),
    ]
    assert (made["type"], made["url"]) == ("schedule", "/api/v1/schedules/1/")
    assert made["crontab"] == "*/1 * * * * *"
    assert made["enabled"] is True


@pytest.mark.parametrize(
    ("crontab", "words"),
    [
        ("garbage", "'garbage' is no crontab"),
        ("* * * * 0 *", "the day of the week cannot be '0'; it goes from 1 to 7"),
        ("60 * * * *", "the minute cannot be '60'"),
        ("@daily", "is no crontab"),
        ("", "This field may not be blank."),
    ],
)
async def test_a_crontab_that_is_none(ask, crontab, words):
    said = await ask.wrong("schedules/", {"name": "s", "crontab": crontab})

    assert words in said["crontab"][0]


async def policy(ask, crontab: str):
    await ask.made("schedules/", name="s", crontab=crontab)
    await ask.made("repositories/", name="r", path="/r", repository_key="k")
    return await ask.made("policies/", name="p", schedule=1, repository=1)


async def test_policies_run_by_the_new_crontab_at_once(ask, place):
    place.records.now = lambda: 1542924000.0  # 2018-11-22T22:00:00Z, a Thursday.
    made = await policy(ask, "0 5 * * MON *")

    await ask("PATCH", "schedules/1/", {"crontab": "30 6 * * FRI"})

    assert made["next_run"] == "2018-11-26T05:00:00Z"
    assert (await ask.get("policies/1/"))["next_run"] == "2018-11-23T06:30:00Z"


@pytest.mark.parametrize("crontab", ["0 0 31 2 * *", "0 5 * * MON 2017"])
async def test_one_that_never_comes(ask, crontab):
    assert (await policy(ask, crontab))["next_run"] is None
    assert await ask.get("policies/1/calendar/") == []


async def test_its_policies_go_with_it(ask):
    await policy(ask, "0 5 * * MON *")
    await ask("PATCH", "policies/1/", {"clients": []})

    assert (await ask("DELETE", "schedules/1/")).status_code == 204

    assert (await ask.get("policies/"))["count"] == 0
    assert (await ask.get("repositories/"))["count"] == 1
