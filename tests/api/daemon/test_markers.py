"""Markers: one note, kept and given back."""

import pytest

WHERE = "/api/v1/data-validation/marker"


async def test_there_is_none_at_first(http):
    answer = await http.get(WHERE)

    assert answer.status_code == 404
    assert answer.json().keys() == {"message"}


async def test_the_latest_is_kept(http):
    for marker in ("a/2026-11-21T07:29:13Z", "a/b/2026-11-21T07:29:13.25+01:00"):
        answer = await http.post(WHERE, json={"marker": marker})
        assert (answer.status_code, answer.content) == (201, b"")
        assert (await http.get(WHERE)).json() == {"marker": marker}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"marker": 1},
        {"marker": ""},
        {"marker": "a"},
        {"marker": "a/yesterday"},
        {"marker": "/2026-11-21T07:29:13Z"},
        {"marker": "a b/2026-11-21T07:29:13Z"},
        {"marker": "a\t/2026-11-21T07:29:13Z"},
        {"marker": "a/2026-11-21T07:29:13Z\n"},
        {"marker": "a" * 1000 + "/2026-11-21T07:29:13Z"},
        {"mark": "a/2026-11-21T07:29:13Z"},
    ],
)
async def test_bad_ones(http, markers, body):
    answer = await http.post(WHERE, json=body)

    assert answer.status_code == 400
    assert answer.json()["message"]
    assert markers.marker is None


class TestSwitchedOff:
    @pytest.fixture
    def manners(self):
        return {"markers": None}

    async def test_it_is_told(self, http):
        body = {"marker": "a/2026-11-21T07:29:13Z"}

        assert (await http.get(WHERE)).status_code == 404
        answer = await http.post(WHERE, json=body)
        assert answer.status_code == 404
        assert "switched off" in answer.json()["message"]
