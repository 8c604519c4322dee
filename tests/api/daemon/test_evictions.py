"""Evictions: of one, by policy, and what a policy would do."""

import pytest

from syncd.core.vault import Pin
from tests.api.daemon.memory import NOON

DAY = 86_400


@pytest.fixture(autouse=True)
def vaults(backups):
    backups.add("20261110T120000", made=NOON - 11 * DAY)
    backups.add("20261111T120000", made=NOON - 10 * DAY)
    backups.add("20261112T120000", made=NOON - 9 * DAY, partial=True)
    backups.add("20261121T120000", made=NOON)
    return backups.known


class TestOne:
    async def test_it_goes(self, http, backups):
        backups.add("20261101T000000", pin=Pin("why", "me", NOON))

        answer = await http.post("/evict/20261101T000000")

        assert answer.status_code == 200
        assert answer.content == b'"Backup 20261101T000000 successfully removed"\n'
        assert answer.headers["Content-Type"] == "application/json"
        assert "20261101T000000" not in (await http.get("/listbackups")).json()

    @pytest.mark.parametrize("name", ["x", "%2e%2e"])
    async def test_an_unknown_one(self, http, name):
        answer = await http.post(f"/evict/{name}")

        shown = name.replace("%2e", ".")
        assert (answer.status_code, answer.json()) == (404, f"backup {shown} not found")

    async def test_one_that_was_never_finished(self, http, backups):
        backups.half = ["20261101T000000"]

        assert (await http.post("/evict/20261101T000000")).status_code == 200
        assert backups.half == []

    async def test_one_kept_elsewhere_stays(self, http, backups):
        backups.add("20261101T000000", folder="x")

        assert (await http.post("/evict/20261101T000000")).status_code == 404
        assert "20261101T000000" in backups.known

    async def test_one_that_is_read(self, http, backups):
        backups.lent.add("20261121T120000")

        answer = await http.post("/evict/20261121T120000")

        assert answer.status_code == 500
        assert answer.json() == "Backup 20261121T120000 is locked and can't be removed"


class TestByPolicy:
    async def test_it_says_ok(self, http):
        answer = await http.post("/evict")

        assert (answer.status_code, answer.content) == (200, b'"Ok"\n')
        assert answer.headers["Content-Type"] == "application/json"
        # The only partial one is the newest valid of its kind.
        left = ["20261111T120000", "20261112T120000", "20261121T120000"]
        assert (await http.get("/listbackups")).json() == left

    async def test_what_it_would_do(self, http, vaults):
        answer = await http.post("/evict?dry_run=1")

        assert answer.status_code == 200
        said = {one["vault"]: one for one in answer.json()}
        assert said.keys() == vaults.keys()
        assert said["20261110T120000"] == {
            "vault": "20261110T120000",
            "keep": False,
            "rule": "7d/7d",
            "reason": "20261111T120000 is newer in its window of 7d",
        }
        assert said["20261112T120000"]["rule"] == "newest valid"
        assert all(one["reason"] for one in said.values())
        assert len((await http.get("/listbackups")).json()) == 4

    async def test_dry_runs_are_said_plainly(self, http, vaults):
        answer = await http.post("/evict?dry_run=perhaps")

        assert answer.status_code == 400
        assert len(vaults) == 4

    @pytest.mark.parametrize("said", ["0", "false"])
    async def test_no_dry_run(self, http, vaults, said):
        assert (await http.post(f"/evict?dry_run={said}")).json() == "Ok"
        assert len(vaults) == 3

    async def test_it_takes_no_body(self, http, vaults):
        assert (await http.post("/evict", json={"dry_run": True})).status_code == 400
        assert len(vaults) == 4
        assert (await http.post("/evict", json={})).status_code == 200


class TestPolicies:
    async def test_a_new_one_is_kept_and_used(self, http, vaults):
        body = {"fullEvictionPolicy": "1/delete"}

        answer = await http.post("/evictionpolicy", json=body)

        assert (answer.status_code, answer.content) == (200, b'"Ok"\n')
        assert vaults.keys() == {"20261112T120000", "20261121T120000"}
        assert (await http.get("/evictionpolicy")).json() == {
            "fullEvictionPolicy": "1/delete",
            "granularEvictionPolicy": "7d/delete",
        }

    async def test_one_that_was_never_set(self, http, backups):
        del backups.in_force["partial"]

        said = (await http.get("/evictionpolicy")).json()
        assert said["granularEvictionPolicy"] is None

    async def test_that_of_partial_ones(self, http, backups):
        body = {"granularEvictionPolicy": "3/delete"}

        assert (await http.post("/evictionpolicy", json=body)).status_code == 200
        assert backups.in_force["partial"] == "3/delete"

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({}, "fullEvictionPolicy"),
            ({"fullEvictionPolicy": None}, "must be text"),
            ({"fullEvictionPolicy": "7w/delete"}, "'7w' is no length of time"),
            ({"fullEvictionPolicy": "7d/delete,3/delete"}, "lacks a unit"),
            ({"fullEvictionPolicy": "1/delete", "policy": "x"}, "'policy'"),
            (
                {"fullEvictionPolicy": "1/delete", "granularEvictionPolicy": "x"},
                "granularEvictionPolicy: 'x'",
            ),
        ],
    )
    async def test_a_bad_one_changes_nothing(self, http, backups, body, words):
        before = dict(backups.in_force)

        answer = await http.post("/evictionpolicy", json=body)

        assert answer.status_code == 500
        assert words in answer.json()["message"]
        assert backups.in_force == before
        assert len(backups.known) == 4

    async def test_no_body(self, http):
        assert (await http.post("/evictionpolicy")).status_code == 500
