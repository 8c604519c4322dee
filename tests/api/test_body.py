import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders

from syncd.api.body import DEEPEST, MOST_MARKS, check_type, document
from syncd.errors import BadRequest, TooLarge, WrongType

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab☂"), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_json_says_comes_in(value):
    assert document(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        (b'"\xff"', "not UTF-8, from byte 1 on"),
        (b"NaN", "NaN is no number"),
        (b"[-Infinity]", "-Infinity is no number"),
        (b"1e999", "too large"),
        (b"9" * 20, "too large"),
        (b"9" * 5000, "not JSON"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' twice"),
        (b'{"a": 1, "a": "x:y"}', "'a' twice"),
        (b'{"a": {"b": 1, "b": 2}, "c": ":"}', "'b' twice"),
        (b'[{"x": {"a": 1, "a": 1}}]', "'a' twice"),
        (b'["\\ud800"]', "half a character"),
        (b'{"\\udfff": 1}', "half a character"),
        (b"[" * (DEEPEST + 2) + b"]" * (DEEPEST + 2), "nested"),
        (b"[" * 50_000, "nested too deeply"),
        (b'{"a":' * 20_000, "nested too deeply"),
    ],
    ids=lambda one: str(one)[:20],
)
def test_what_is_refused(raw, words):
    with pytest.raises(BadRequest, match=words):
        document(raw)


@pytest.mark.parametrize("part", [b"1,", b"[],", b'":",', b'"",'])
def test_what_would_keep_everybody_waiting_is_refused_unread(part):
    raw = b"[" + part * MOST_MARKS + b"1]"

    with pytest.raises(TooLarge, match="more than 64000 values"):
        document(raw)


def test_a_long_text_is_no_burden():
    text = "x" * 1_000_000

    assert document(json.dumps({"a": text}).encode()) == {"a": text}


@given(st.binary(max_size=200))
def test_whatever_comes_it_is_understood_or_refused(raw):
    with suppress(BadRequest):
        document(raw)


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json;charset=utf8",
    ],
)
def test_types_that_are_json(said):
    check_type(HTTPHeaders({"Content-Type": said} if said is not None else {}))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "garbage"},
        {"Content-Type": "; ; ;"},
        {"Content-Encoding": "gzip"},
    ],
)
def test_types_that_are_not(headers):
    with pytest.raises(WrongType):
        check_type(HTTPHeaders(headers))
