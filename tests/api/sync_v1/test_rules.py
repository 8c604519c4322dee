import pytest

from syncd.errors import BadRequest, ConfigError
from tests.api.fakes import RULES

NEW = {"rules": [{"match": {"path": "/ä☂"}, "sync": []}]}
BODIES = [("PUT", "/rules"), ("POST", "/rules/plan")]


async def test_rules_are_shown_as_they_were_put(http):
    assert (await http.get("/rules")).json() == RULES

    answer = await http.put("/rules", json=NEW)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert (await http.get("/rules")).json() == NEW


async def test_reload(http, house):
    answer = await http.put("/rules/reload")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert house.rulebook.reloads == 1


@pytest.mark.parametrize("error", [ConfigError, BadRequest])
async def test_a_broken_file_is_told_with_every_fault(http, house, error):
    house.rulebook.broken = error("rules.0: bad\nrules.1: worse")

    answer = await http.put("/rules/reload")

    assert answer.status_code == 400
    assert answer.json() == {
        "status": "error",
        "reason": "rules.0: bad\nrules.1: worse",
    }


async def test_a_plan_changes_nothing(http):
    answer = await http.post("/rules/plan", json=NEW)

    assert answer.json()["entries"]["A"]["copy"] == {"files": 1, "bytes": 5}
    assert (await http.get("/rules")).json() == RULES


@pytest.mark.parametrize("where", BODIES)
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is missing"),
        (b"{", "not JSON"),
        (b"rules: []", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"rules": NaN}', "NaN"),
        (b'{"rules": [], "rules": []}', "'rules' twice"),
        (b"[" * 50_000, "nested too deeply"),
        (b'{"rules": [{"a": "\\ud800"}]}', "half a character"),
        (b"null", "rules: "),
        (b"[]", "rules: "),
        (b'"rules"', "rules: "),
        (b"7", "rules: "),
        (b"{}", "rules: "),
        (b'{"rules": {}}', "rules: "),
    ],
    ids=lambda one: str(one)[:20],
)
async def test_wrong_bodies(http, house, where, body, reason):
    headers = {"Content-Type": "application/json"}

    answer = await http.request(*where, content=body, headers=headers)

    assert answer.status_code == 400
    assert reason in answer.json()["reason"]
    assert house.rulebook.document == RULES


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/yaml"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_bodies_that_are_not_json(http, method, path, headers):
    answer = await http.request(method, path, content=b"{}", headers=headers)

    assert answer.status_code == 415
    assert answer.json()["status"] == "error"


@pytest.mark.parametrize(
    "path", ["/rules/reload", "/entries/A/stop", "/entries/A/approve"]
)
async def test_where_no_body_is_wanted(http, path):
    assert (await http.put(path, content=b"[1]")).status_code == 400
    assert (await http.put(path, content=b"nonsense")).status_code == 400
    assert (
        await http.put(path, content=b"{}", headers={"Content-Type": "text/plain"})
    ).status_code == 415
    assert (await http.put(path, content=b"{}")).status_code == 200


async def test_parameters_are_refused_where_there_are_none(http):
    for method, path in [
        ("GET", "/rules"),
        ("PUT", "/rules/reload"),
        ("GET", "/entries"),
    ]:
        answer = await http.request(method, path + "?force=1")
        assert answer.status_code == 400
        assert (
            "unknown parameter 'force': there are none here" in answer.json()["reason"]
        )
