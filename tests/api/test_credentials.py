"""What headers say about who sends a request."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.api import credentials
from syncd.api.credentials import COOKIE, Pair, Signed
from syncd.errors import NotLoggedIn


def basic(raw: bytes) -> str:
    return "Basic " + base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (basic(b"ops@x:a:b"), Pair("ops@x", "a:b")),
        (basic("ops@x:\N{SNOWMAN}".encode()), Pair("ops@x", "\N{SNOWMAN}")),
        (basic(b"ops@x:\xe9"), Pair("ops@x", "\N{LATIN SMALL LETTER E WITH ACUTE}")),
        (basic(b":").replace("Basic", "basic"), Pair("", "")),
        ("  Basic   Og== ", Pair("", "")),
        ("Bearer key:secret", Pair("key", "secret")),
        ("bearer a.b.c", Signed("a.b.c")),
    ],
)
def test_what_is_understood(header, said):
    assert credentials.given(header) == said


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ?",
        "Basic b",
        basic(b"no colon"),
        "Bearer",
        "Digest a=b",
        "x",
    ],
)
def test_what_is_not(header):
    with pytest.raises(NotLoggedIn):
        credentials.given(header)


@given(st.text())
def test_nothing_else_comes_of_it(header):
    with suppress(NotLoggedIn):
        credentials.given(header)


@given(st.text(), st.text())
def test_alike_is_alike(name, secret):
    assert Pair(name, secret).same(Pair(name, secret))
    assert not Pair(name, secret).same(Pair(name, secret + "x"))
    assert not Pair(name, secret).same(Pair(name + "x", secret))


@pytest.mark.parametrize(
    ("header", "session"),
    [
        (None, None),
        ("", None),
        ("other=1", None),
        (f"other=1; {COOKIE}=abc; more=2", "abc"),
        (f'{COOKIE}="abc"', "abc"),
    ],
)
def test_cookies(header, session):
    assert credentials.cookie(header) == session


def test_a_cookie_is_kept_from_scripts_and_other_sites():
    plain = credentials.baked("abc", lasts=60, secure=False)

    assert plain == f"{COOKIE}=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"
    assert credentials.baked("abc", lasts=60, secure=True) == f"{plain}; Secure"
