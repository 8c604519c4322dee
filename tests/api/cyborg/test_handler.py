"""What holds for every address: bodies, pages, filters, refusals, headers, OPTIONS."""

import asyncio
import threading

import pytest

from syncd.api.cyborg.schedules import OneSchedule, Schedules
from syncd.store import patience, users
from tests.api.cyborg.conftest import ADMIN, As, placed

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def four(ask):
    for name in ("a", "b", "c", "d"):
        await ask.made("schedules/", name=name, crontab="0 5 * * *")
    return ask


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"x=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415, None),
        (b"{}", {"Content-Type": ""}, 415, None),
        (b"null", JSON, 400, {"__all__": ["This field may not be null."]}),
        (
            b"[]",
            JSON,
            400,
            {"__all__": ["Invalid data. Expected a dictionary, but got list."]},
        ),
        (b"5", JSON, 400, {"detail": "JSON parse error - not a JSON object"}),
        (b'"x"', JSON, 400, {"detail": "JSON parse error - not a JSON object"}),
        (b"", JSON, 400, None),
        (b"", {}, 400, None),
    ],
)
async def test_bodies(ask, body, headers, status, said):
    answer = await ask("POST", "schedules/", content=body, headers=headers)

    assert answer.status_code == status
    if said is not None:
        assert answer.json() == said
    elif status == 400:
        assert answer.json()["name"] == ["This field is required."]
    else:
        kind = headers["Content-Type"]
        assert answer.json() == {
            "detail": f'Unsupported media type "{kind}" in request.'
        }


@pytest.mark.parametrize("body", [b"{", b'{"a": 1,}', b"{'a': 1}", b"\xff"])
async def test_broken_bodies(ask, body):
    answer = await ask("POST", "schedules/", content=body, headers=JSON)

    detail = answer.json()["detail"]
    assert answer.status_code == 400
    assert detail.startswith("JSON parse error - ")
    assert detail.endswith("\nPossible cause: trailing comma.")


async def test_links_of_pages(four):
    path = "schedules/?page_size=1&page=2&order_by=name&name__in=a,b,c"
    said = await four.get(path)

    assert (said["count"], [one["name"] for one in said["results"]]) == (3, ["b"])
    rest = "name__in=a%2Cb%2Cc&order_by=name"
    assert said["next"] == f"/api/v1/schedules/?{rest}&page=3&page_size=1"
    assert said["previous"] == f"/api/v1/schedules/?{rest}&page=1&page_size=1"
    assert [one["name"] for one in (await four.get(said["next"]))["results"]] == ["c"]
    alone = await four.get("schedules/?name=a")
    assert (alone["next"], alone["previous"]) == (None, None)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["d", "c", "b", "a"]),
        ("page=last&page_size=3", ["a"]),
        ("or__name=a&or__name=c", ["c", "a"]),
        ("not__name=a", ["d", "c", "b"]),
        ("id__gt=2&order=id", ["c", "d"]),
        ("search=B", ["b"]),
        ("type=schedule,job", ["d", "c", "b", "a"]),
        ("type=job", []),
        ("role_level=5&host_filter=x", ["d", "c", "b", "a"]),
    ],
)
async def test_lists(four, query, names):
    said = await four.get(f"schedules/?{query}")

    assert [one["name"] for one in said["results"]] == names


async def test_few_columns(four):
    said = await four.get("schedules/?fields=crontab")
    assert (said["count"], said["results"]) == (1, [{"crontab": "0 5 * * *"}])
    said = await four.get("schedules/?fields=name,created&name=a")
    assert list(said["results"][0]) == ["name", "created"]
    assert said["results"][0]["created"].endswith("Z")


@pytest.mark.parametrize("path", ["schedules/", "schedules/1/"])
@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("bogus=1", 400, "Schedule has no field named 'bogus'"),
        ("id=abc", 400, '["\u201cabc\u201d value must be an integer."]'),
        ("enabled=yes", 400, 'Unable to convert "yes" to boolean'),
        ("name__in=", 400, "cannot provide empty value for __in"),
        ("name=%00", 400, "Null characters are not allowed."),
        ("name=%ff", 400, "name is not UTF-8"),
        ("auth_token=1", 403, "Filtering on auth_token is not allowed."),
    ],
)
async def test_filters_that_make_no_sense(four, path, query, status, detail):
    answer = await four("GET", f"{path}?{query}")

    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


@pytest.mark.parametrize("path", ["schedules/", "schedules/1/", "schedules/1/?id=1"])
async def test_answers_are_made_beside_the_loop(four, monkeypatch, path):
    where, shape = [], Schedules.shape

    def shaped(*some):
        where.append(threading.current_thread())
        return shape(*some)

    monkeypatch.setattr(Schedules, "shape", shaped)
    monkeypatch.setattr(OneSchedule, "shape", shaped)

    await four.get(path)
    assert where
    assert threading.main_thread() not in where


async def test_what_takes_too_long_to_find(four, place, monkeypatch):
    monkeypatch.setattr(patience, "LONGEST", -1.0)
    monkeypatch.setattr(patience, "STEPS", 1)

    for path in ("schedules/?name=a", "schedules/1/?name=a"):
        answer = await four("GET", path)
        assert answer.status_code == 400
        assert "ask with fewer filters" in answer.json()["detail"]


async def test_who_searches_keeps_nobody_out(admin, place):
    go_on, inside = threading.Event(), []

    def search(db):
        inside.append(db)
        go_on.wait(60)

    searches = [asyncio.create_task(place.records.search(search)) for _ in range(5)]
    try:
        assert await place.records.read(users.everything)
        assert len(inside) <= 1
    finally:
        go_on.set()
        await asyncio.gather(*searches)


async def test_filters_hold_for_one_too(four):
    assert (await four("GET", "schedules/1/?name=a")).status_code == 200
    answer = await four("GET", "schedules/1/?name=b")
    assert (answer.status_code, answer.json()) == (
        404,
        {"detail": "No Schedule matches the given query."},
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "clients/9/", 404, "No Client matches the given query."),
        ("GET", "policies/9/", 404, "No Policy matches the given query."),
        ("GET", "clients/x/", 404, "Not found."),
        ("GET", "nothing/", 404, None),
        ("DELETE", "clients/", 405, 'Method "DELETE" not allowed.'),
        ("PUT", "clients/", 405, 'Method "PUT" not allowed.'),
        ("POST", "clients/1/", 405, 'Method "POST" not allowed.'),
        ("GET", "clients/?page=2", 404, "Invalid page."),
        ("GET", "clients/?page=x", 404, "Invalid page."),
    ],
)
async def test_refusals(ask, method, path, status, detail):
    answer = await ask(method, path)

    assert answer.status_code == status
    if detail is not None:
        assert answer.json() == {"detail": detail}


async def test_with_and_without_a_slash(ask):
    assert (await ask("POST", "clients", {"hostname": "a"})).status_code == 201
    assert (await ask.get("clients/1")) == (await ask.get("clients/1/"))


async def test_headers(ask):
    answer = await ask("GET", "clients/")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert "Cookie" in answer.headers["Vary"]
    assert answer.headers["X-API-Time"].endswith("s")


async def test_who_has_not_logged_in(admin, place):
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "JWT x"}):
        answer = await As(place.http)("GET", "clients/", headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {
            "detail": "Authentication credentials were not provided."
        }
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


async def test_a_reader_reads_and_changes_nothing(admin, viewer):
    await admin.made("clients/", hostname="a")

    assert (await viewer.get("clients/"))["count"] == 1
    assert (await viewer.get("clients/1/"))["hostname"] == "a"
    for method, path, body in (
        ("POST", "clients/", {"hostname": "b"}),
        ("PATCH", "clients/1/", {}),
        ("PUT", "clients/1/", {}),
        ("DELETE", "clients/1/", None),
    ):
        answer = await viewer(method, path, body)
        assert (answer.status_code, answer.json()) == (
            403,
            {"detail": "You do not have permission to perform this action."},
        )
    assert (await viewer("PUT", "clients/", {})).status_code == 405


async def test_options_tell_what_there_is(admin, viewer, place):
    said = (await admin("OPTIONS", "policies/")).json()

    assert list(said) == [
        *("name", "description", "renders", "parses", "actions", "types"),
        *("search_fields", "related_search_fields", "max_page_size"),
    ]
    assert said["actions"]["POST"]["policy_type"]["choices"][0] == [
        "rootfs",
        "Root FileSystem",
    ]
    assert said["actions"]["POST"]["name"] == {
        "type": "string",
        "required": True,
        "label": "Name",
        "max_length": 1024,
    }
    assert said["actions"]["GET"]["next_run"]["type"] == "datetime"
    assert said["types"] == ["policy"]
    assert "schedule__search" in said["related_search_fields"]
    assert said["max_page_size"] == 100_000
    assert list((await viewer("OPTIONS", "policies/")).json()["actions"]) == ["GET"]
    nobody = await As(place.http)("OPTIONS", "policies/")
    assert nobody.status_code == 200
    assert "actions" not in nobody.json()
    assert (await As(place.http)("OPTIONS", "config/")).status_code == 401


PAGE = {"Origin": "https://console.example"}


@pytest.mark.parametrize("origins", [["https://console.example"], ["*"]])
async def test_pages_elsewhere_may_where_that_is_said(tmp_path, origins):
    async with placed(tmp_path, origins=origins) as place:
        ask = As(place.http)
        beforehand = {**PAGE, "Access-Control-Request-Method": "PATCH"}
        await place.settle()  # Browsers ask without saying who asks.
        answer = await ask("OPTIONS", "config/", headers=beforehand)
        assert answer.status_code == 200
        ask = place.as_user(ADMIN)
        answer = await ask("OPTIONS", "clients/1/", headers=beforehand)
        said = {k: v for k, v in answer.headers.items() if k.startswith("access-")}
        assert answer.status_code == 200
        assert said["access-control-allow-origin"] == PAGE["Origin"]
        assert "PATCH" in said["access-control-allow-methods"]
        assert said["access-control-max-age"] == "86400"
        for name in ("authorization", "content-type", "x-csrftoken", "x-token"):
            assert name in said["access-control-allow-headers"]

        answer = await ask("POST", "clients/", {"hostname": "a"}, headers=PAGE)
        assert answer.status_code == 201
        for path in ("clients/", "clients/9/", "clients/?bogus=1"):
            answer = await ask("GET", path, headers=PAGE)
            assert answer.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
            assert "x-token" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    "asked", [("POST", "/backup"), ("PUT", "/api/v1.0/rules"), ("POST", "/ak/api/v3/x")]
)
async def test_they_may_not_use_anything_else(tmp_path, asked):
    async with placed(tmp_path, origins=["*"]) as place:
        assert (await place.http.request(*asked)).status_code != 403
        answer = await place.http.request(*asked, headers=PAGE)

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


async def test_and_not_elsewhere(ask):
    beforehand = {**PAGE, "Access-Control-Request-Method": "PATCH"}
    answer = await ask("OPTIONS", "clients/1/", headers=beforehand)
    assert not [name for name in answer.headers if name.startswith("access-")]
    answer = await ask("POST", "clients/", {"hostname": "a"}, headers=PAGE)
    assert answer.status_code == 403
    assert (await ask.get("clients/"))["count"] == 0
