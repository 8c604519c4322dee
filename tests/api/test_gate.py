import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from syncd.api.gate import Gate
from syncd.errors import NotAllowed

GATE = Gate(
    [("127.0.0.1", 3862), ("::1", 3862)],
    ["nas.local", "proxy:8000", "public.example:443"],
)


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
        # Where the port is the usual one, nobody says it.
        "public.example",
        "public.example:443",
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
        "public.example:444",
        "",
        "::1:3862",
    ],
)
def test_names_that_are_not_ours(host):
    with pytest.raises(NotAllowed, match="is not a name of this daemon; use one of"):
        GATE.check(a_request(Host=host))


def test_pages_elsewhere_that_may():
    gate = Gate([("127.0.0.1", 3862)], origins=["https://console.example"])
    theirs = {"Host": "127.0.0.1:3862", "Sec-Fetch-Site": "cross-site"}

    ours = a_request("PUT", **theirs, Origin="https://Console.example")
    gate.check(ours, welcoming=True)
    with pytest.raises(NotAllowed, match="may not change anything here"):
        gate.check(ours)
    for origin in ("https://console.example:444", "http://console.example", "null"):
        with pytest.raises(NotAllowed, match="may not change anything here"):
            gate.check(a_request("PUT", **theirs, Origin=origin), welcoming=True)
    assert not gate.is_welcome(None)


def test_every_page_may_where_that_is_said():
    gate = Gate([("127.0.0.1", 3862)], origins=["*"])

    assert gate.is_welcome("https://any.example")
    with pytest.raises(NotAllowed, match="is not a name of this daemon"):
        gate.check(
            a_request("PUT", Host="evil.example", Origin="https://any.example"),
            welcoming=True,
        )


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
        # Other services of a machine with a name of ours: they are not us.
        {"Origin": "http://nas.local"},
        {"Origin": "http://nas.local:9999"},
        {"Origin": "https://nas.local:3862"},
        {"Origin": "http://proxy"},
        {"Origin": "http://proxy:8001"},
        {"Origin": "http://public.example"},
        {"Origin": "http://public.example:443"},
        {"Origin": "https://public.example:3862"},
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
        {"Origin": "http://nas.local:3862"},
        {"Origin": "http://NAS.local:3862"},
        {"Origin": "http://proxy:8000"},
        {"Origin": "https://proxy:8000"},
        {"Origin": "https://public.example"},
    ],
)
def test_our_own_pages_may_write(headers):
    GATE.check(a_request("PUT", Host="127.0.0.1:3862", **headers))


WIDE = Gate([("0.0.0.0", 3862), ("10.0.0.7", 3862)], ["nas"], scheme="https")


@pytest.mark.parametrize(
    "host",
    ["10.0.0.7:3862", "192.168.1.5:3862", "[fe80::1]:3862", "192.168.1.5", "nas:3862"],
)
def test_beyond_loopback_an_address_in_figures_is_ours(host):
    WIDE.check(a_request(Host=host))
    WIDE.check(a_request("PUT", Host=host, Origin=f"https://{host}"))


@pytest.mark.parametrize("host", ["evil.example:3862", "nas.evil.example", "1.2.3.x"])
def test_beyond_loopback_other_names_are_not(host):
    with pytest.raises(NotAllowed, match="or add it to `names`"):
        WIDE.check(a_request(Host=host))


@pytest.mark.parametrize(
    "origin",
    [
        "https://192.168.1.6:3862",
        "https://192.168.1.5",
        "http://192.168.1.5:3862",
        "https://evil.example",
        "http://nas:3862",
        "https://nas",
    ],
)
def test_beyond_loopback_pages_of_other_addresses_change_nothing(origin):
    with pytest.raises(NotAllowed):
        WIDE.check(a_request("PUT", Host="192.168.1.5:3862", Origin=origin))


def test_under_tls_our_pages_have_another_scheme():
    gate = Gate([("127.0.0.1", 443)], scheme="https")

    gate.check(a_request("PUT", Host="localhost", Origin="https://localhost"))
    with pytest.raises(NotAllowed):
        gate.check(a_request("PUT", Host="localhost", Origin="http://localhost"))
