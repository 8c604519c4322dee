import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from syncd.api.auth import MOST_PEERS, Gate, Hurried, Pace
from syncd.errors import NotAllowed

GATE = Gate([("127.0.0.1", 3862), ("::1", 3862)], ["nas.local", "proxy:8000"])


def a_request(method="GET", **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    version = "HTTP/1.1" if "Host" in names else "HTTP/1.0"
    line = RequestStartLine(method, "/", version)
    return HTTPServerRequest(start_line=line, headers=HTTPHeaders(names))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:3862",
        "localhost:3862",
        "LocalHost:3862",
        "localhost.:3862",
        "127.0.0.1",
        "[::1]",
        "[::1]:3862",
        "nas.local",
        "NAS.local:3862",
        "nas.local:99",
        "proxy:8000",
    ],
)
def test_names_of_ours(host):
    GATE.check(a_request(Host=host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:3862",
        "127.0.0.1:80",
        "localhost:3863",
        "127.0.0.2:3862",
        "nas.local.evil.example",
        "localhost:3862.evil.example",
        "proxy",
        "proxy:8001",
        "",
        "::1:3862",
    ],
)
def test_names_that_are_not_ours(host):
    with pytest.raises(NotAllowed, match="is not a name of this daemon; use one of"):
        GATE.check(a_request(Host=host))


def test_on_port_80_an_origin_has_no_port():
    own = {"Host": "localhost", "Origin": "http://localhost"}

    Gate([("127.0.0.1", 80)]).check(a_request("PUT", **own))


def test_who_names_nobody_is_no_browser():
    GATE.check(a_request())


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://nas.local:80@evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "http://127.0.0.1:3862@evil.example"},
        {"Origin": "http://[broken"},
        {"Origin": "file://127.0.0.1:3862"},
        {"Origin": "https://127.0.0.1:3862"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "127.0.0.1:3862"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "Cross-Site", "Origin": "http://127.0.0.1:3862"},
    ],
)
def test_foreign_pages_may_read_but_not_write(headers):
    GATE.check(a_request(Host="127.0.0.1:3862", **headers))
    with pytest.raises(NotAllowed):
        GATE.check(a_request("PUT", Host="127.0.0.1:3862", **headers))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:3862"},
        {"Origin": "http://LOCALHOST:3862"},
        {"Origin": "http://[::1]:3862", "Sec_Fetch_Site": "same-origin"},
        {"Origin": "https://nas.local"},
    ],
)
def test_our_own_pages_may_write(headers):
    GATE.check(a_request("PUT", Host="127.0.0.1:3862", **headers))


def test_a_burst_passes_then_the_rate_holds():
    pace = Pace(rate=10, burst=5)

    assert [pace.take("a", 0.0) for _ in range(5)] == [0] * 5
    assert pace.take("a", 0.0) == pytest.approx(0.1)
    assert pace.take("b", 0.0) == 0
    assert pace.take("a", 0.1) == 0
    assert pace.take("a", 0.1) > 0


@given(st.lists(st.floats(0, 1), max_size=50))
def test_never_more_than_the_bucket_and_what_flowed_in(pauses):
    pace, now, passed = Pace(rate=3, burst=4), 0.0, 0
    for pause in pauses:
        now += pause
        passed += pace.take("a", now) == 0

    assert passed <= 4 + 3 * now + 1e-6


def test_many_addresses_are_forgotten_in_time():
    pace = Pace(rate=1, burst=2)
    for number in range(MOST_PEERS * 2):
        pace.take(str(number), 0.0)

    assert len(pace._peers) <= MOST_PEERS

    pace.take("late", 100.0)
    assert list(pace._peers) == ["late"]


def test_whole_seconds_are_told():
    assert Hurried(0.01).retry_after == 1
    assert Hurried(1.2).retry_after == 2
