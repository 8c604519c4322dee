"""Clients: made, listed, changed, removed; what is refused, and in which words."""

import re
from typing import Any

import pytest

from syncd.store.cyborg import tables

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z"


async def test_one_is_made_with_all_its_keys(ask):
    answer = await ask("POST", "clients/", {"hostname": " lab.example.com ", "x": 1})

    made = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, made["url"])
    assert list(made) == [
        *("id", "type", "url", "related", "summary_fields", "created", "modified"),
        *("created_by", "modified_by", "hostname", "ip", "bandwidth_limit", "port"),
        *("version", "ready", "hypervisor_ready", "hypervisor_name"),
        *("can_be_updated", "mark_as_to_update", "enabled", "behind_firewall", "uuid"),
    ]
    assert re.fullmatch(UUID, made.pop("uuid"))
    assert re.fullmatch(MOMENT, made.pop("created"))
    assert re.fullmatch(MOMENT, made.pop("modified"))
    assert made == {
        "id": 1,
        "type": "client",
        "url": "/api/v1/clients/1/",
        "related": {},
        "summary_fields": {},
        "created_by": None,
        "modified_by": None,
        "hostname": "lab.example.com",
        "ip": "",
        "bandwidth_limit": None,
        "port": 22,
        "version": "",
        "ready": False,
        "hypervisor_ready": False,
        "hypervisor_name": "",
        "can_be_updated": False,
        "mark_as_to_update": False,
        "enabled": True,
        "behind_firewall": False,
    }


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, {"hostname": ["This field is required."]}),
        ({"hostname": ""}, {"hostname": ["This field may not be blank."]}),
        ({"hostname": None}, {"hostname": ["This field cannot be blank."]}),
        ({"hostname": True}, {"hostname": ["Not a valid string."]}),
        ({"hostname": ["a"]}, {"hostname": ["Not a valid string."]}),
        (
            {"hostname": "x" * 1025},
            {"hostname": ["Ensure this field has no more than 1024 characters."]},
        ),
        ({"port": 0}, {"port": ["Ensure this value is greater than or equal to 1."]}),
        (
            {"port": 65536},
            {"port": ["Ensure this value is less than or equal to 65535."]},
        ),
        ({"port": ""}, {"port": ["A valid integer is required."]}),
        ({"port": None}, {"port": ["This field may not be null."]}),
        ({"port": True}, {"port": ["A valid integer is required."]}),
        ({"port": 1.5}, {"port": ["A valid integer is required."]}),
        (
            {"bandwidth_limit": -1},
            {"bandwidth_limit": ["Ensure this value is greater than or equal to 0."]},
        ),
        ({"enabled": "perhaps"}, {"enabled": ["Must be a valid boolean."]}),
        ({"enabled": None}, {"enabled": ["This field may not be null."]}),
        (
            {"policies": [9]},
            {"policies": ['Invalid pk "9" - object does not exist.']},
        ),
        (
            {"policies": ["x"]},
            {"policies": ["Incorrect type. Expected pk value, received str."]},
        ),
        (
            {"policies": "x"},
            {"policies": ['Expected a list of items but got type "str".']},
        ),
    ],
)
async def test_what_is_wrong_is_named(ask, said, words):
    if "hostname" not in said and said:
        said["hostname"] = "lab"

    assert await ask.wrong("clients/", said) == words
    assert (await ask.get("clients"))["count"] == 0


async def test_all_that_is_wrong_is_told_at_once(ask):
    said = await ask.wrong("clients/", {"port": 0, "enabled": "x"})

    assert sorted(said) == ["enabled", "hostname", "port"]


async def test_patch_changes_what_is_said_and_put_resets_the_rest(ask):
    made = await ask.made("clients/", hostname="a", port=2222, enabled="false")

    patched = (await ask("PATCH", "clients/1/", {"version": "1.2"})).json()
    put = (await ask("PUT", "clients/1", {"hostname": "b"})).json()

    assert (patched["port"], patched["enabled"], patched["version"]) == (
        2222,
        False,
        "1.2",
    )
    assert (put["hostname"], put["port"], put["enabled"]) == ("b", 22, True)
    assert put["version"] == ""
    assert made["uuid"] == patched["uuid"] == put["uuid"]
    assert made["created"] == put["created"] < put["modified"]
    refused = await ask.wrong("clients/1/", {"port": 5}, "PUT")
    assert refused == {"hostname": ["This field is required."]}


async def test_read_only_keys_are_passed_over(ask):
    await ask.made("clients/", hostname="a", id=7, uuid="x", created="y", url="z")
    await ask("PATCH", "clients/1/", {"id": 9, "type": "x", "created_by": 3})

    found = await ask.get("clients/1/")
    assert (found["id"], found["type"], found["created_by"]) == (1, "client", None)


async def test_policies_can_be_said_of_a_client(ask, place):
    await ask.made("schedules/", name="s", crontab="0 5 * * *")
    await ask.made("repositories/", name="r", path="/r", repository_key="k")
    await ask.made("policies/", name="p", schedule=1, repository=1)

    made = await ask.made("clients/", hostname="a", policies=[1, 1])

    assert made["summary_fields"] == {"policies": [{"id": 1, "name": "p"}]}
    assert (await ask.get("policies/1/"))["clients"] == [1]
    await ask("PATCH", "clients/1/", {"policies": []})
    assert (await ask.get("policies/1/"))["clients"] == []


async def test_one_that_is_gone_leaves_its_number_and_its_jobs(ask, place):
    await ask.made("clients/", hostname="a")
    answer = await ask("DELETE", "clients/1/")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await ask("GET", "clients/1/")).status_code == 404
    assert (await ask.made("clients/", hostname="b"))["id"] == 2


async def test_one_with_jobs_that_run_stays(ask, place):
    await ask.made("clients/", hostname="a")
    row: dict[str, Any] = {
        one.name: "" for one in tables.jobs.columns if not one.nullable
    }
    row |= {"created": 1.0, "modified": 1.0, "failed": False, "elapsed": 0.0}
    row |= dict.fromkeys(("original_size", "compressed_size", "deduplicated_size"), 0)
    row |= {"event_processing_finished": False, "client_id": 1, "status": "running"}
    row.pop("id")
    await place.store.run(lambda db: db.execute(tables.jobs.insert().values(**row)))

    answer = await ask("DELETE", "clients/1/")

    assert answer.status_code == 409
    assert "1 of its jobs have not ended" in answer.json()["detail"]
    assert (await ask("GET", "clients/1/")).status_code == 200
