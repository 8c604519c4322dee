"""What is secret in options is hidden, and found again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.masking import MASK, masked, unmasked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        (" ", " "),
        ('{"exclude": ["/tmp"]}', '{"exclude": ["/tmp"]}'),
        ('{"user":"a","password":"b"}', '{"user": "a", "password": "$encrypted$"}'),
        ('{"password": ""}', '{"password": ""}'),
        (
            '{"extended_mysql": {"1": {"credential": {"Password": "x"}}}}',
            '{"extended_mysql": {"1": {"credential": {"Password": "$encrypted$"}}}}',
        ),
        ('{"a": [{"token_id": 5}]}', '{"a": [{"token_id": "$encrypted$"}]}'),
        ('{"MYSQL_PWD": "x"}', '{"MYSQL_PWD": "$encrypted$"}'),
        ('{"api_key": "x"}', '{"api_key": "$encrypted$"}'),
        ('{"password": "x", "password": ""}', MASK),
        ('["a"]', MASK),
        ("not: json", MASK),
        ("[" * 100_000, MASK),
    ],
)
def test_what_is_shown(text, shown):
    assert masked(text) == shown


@pytest.mark.parametrize(
    ("text", "before", "kept"),
    [
        (MASK, "not: json", "not: json"),
        ("new", "old", "new"),
        ('{"password": "new"}', '{"password": "old"}', '{"password": "new"}'),
        ('{"password": "$encrypted$"}', '{"password": "a"}', '{"password": "a"}'),
        ('{"password": "$encrypted$"}', "", '{"password": "$encrypted$"}'),
        ('{"a": [1, {"token": "$encrypted$"}]}', '{"a": [1]}', None),
        (
            '{"a": [{"token": "$encrypted$"}]}',
            '{"a": [{"token": "t"}]}',
            '{"a": [{"token": "t"}]}',
        ),
        ('{"a": [1]}', '{"a": 2}', '{"a": [1]}'),
    ],
)
def test_what_is_kept(text, before, kept):
    assert unmasked(text, before) == (text if kept is None else kept)


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "password", "api_token"]), inner)
    ),
    max_leaves=10,
)


@given(value=st.dictionaries(st.sampled_from(["x", "my_secret"]), VALUES))
def test_showing_and_sending_back_changes_nothing(value):
    text = json.dumps(value)

    assert json.loads(unmasked(masked(text), text)) == value


@given(word=st.sampled_from(["PASSWORD", "db_passwd", "passphrase"]), levels=VALUES)
def test_no_secret_is_shown(word, levels):
    text = json.dumps({"options": [{word: "hush hush", "more": levels}]})

    assert "hush hush" not in masked(text)
