"""HOCON: what configurations of the backup daemon say, and nothing guessed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.cli.hocon import parse
from syncd.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", {}),
        ("{}", {}),
        ("a = 1", {"a": 1}),
        ("a: 1, b: 2.5\nc = -3", {"a": 1, "b": 2.5, "c": -3}),
        ("{a = true\nb = false, c = null}", {"a": True, "b": False, "c": None}),
        ('a = "true"', {"a": "true"}),
        ('a = "7"', {"a": "7"}),
        ("# one\na = b # two\n// three\nc = d // four", {"a": "b", "c": "d"}),
        ("schedule = 0 * * * *", {"schedule": "0 * * * *"}),
        ("eviction = 7d/delete", {"eviction": "7d/delete"}),
        ('eviction = "0/1d,7d/delete"', {"eviction": "0/1d,7d/delete"}),
        ("d = 60 minutes", {"d": "60 minutes"}),
        ("storage = /backup-storage", {"storage": "/backup-storage"}),
        (
            'command = "python3 /opt/x.py %(data_folder)s %(dbs)s"',
            {"command": "python3 /opt/x.py %(data_folder)s %(dbs)s"},
        ),
        ("c = x {{ .data_folder }}", None),
        ('c = "x {{ .data_folder }}"', {"c": "x {{ .data_folder }}"}),
        (
            "custom_vars = [mode, {region: eu}]",
            {"custom_vars": ["mode", {"region": "eu"}]},
        ),
        ("a = [\n  1\n  2,\n  3\n]", {"a": [1, 2, 3]}),
        (
            "log { level = INFO }\nlog.format = x",
            {"log": {"level": "INFO", "format": "x"}},
        ),
        ("a.b.c = 1\na.b.d = 2", {"a": {"b": {"c": 1, "d": 2}}}),
        ('"a.b" = 1', {"a.b": 1}),
        ("a = 1\na = 2", {"a": 2}),
        ("a = [1]\na += 2", {"a": [1, 2]}),
        ("a += 1", {"a": [1]}),
        ("a = [1] [2]", {"a": [1, 2]}),
        ("a = {b: 1} {c: 2}", {"a": {"b": 1, "c": 2}}),
        ("a = 1\na = ${?NOT_SET}", {"a": 1}),
        ("a = ${?NOT_SET}", {}),
        ("a = x\nb = ${a}/y", {"a": "x", "b": "x/y"}),
        ("a { b = x }\nc = ${a.b} ${?a.z}!", {"a": {"b": "x"}, "c": "x !"}),
        ("a.b = 1\na.c = ${a.b}\nd = ${a.c}", {"a": {"b": 1, "c": 1}, "d": 1}),
        ("a = {b: 1}\na = 2", {"a": 2}),
        ('a = """one\n"two" \\n"""', {"a": 'one\n"two" \\n'}),
        ('a = "\\n\\t\\"\\\\\\u0041"', {"a": '\n\t"\\A'}),
        ("a = 010", {"a": "010"}),
        ("a = true story", {"a": "true story"}),
        ("\ufeffa = 1\r\nb = 2\r\n", {"a": 1, "b": 2}),
    ],
)
def test_what_is_said(text, said):
    if said is None:
        with pytest.raises(BadRequest):
            parse(text)
    else:
        assert parse(text) == said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", "line 1: after 'a' comes = or :"),
        ("a = 1\nb =", "line 2: a value is missing"),
        ("= 1", "line 1: a key is missing"),
        ("a = {b = 1", "line 1: } is missing"),
        ("a = [1", "line 1: ] is missing"),
        ("a = 1}", "'}' stands where"),
        ("{a = 1} b", "there is more behind the end"),
        ('a = "x', "a quote is not closed"),
        ("eviction = 0/1d,7d/delete", "after '7d/delete' comes = or :"),
        ('include "other.conf"', "not included"),
        ("a = ${b}", "${b} is said nowhere"),
        ("a = ${b}\nb = ${a}", "refers to itself"),
        ("a = x [1]", "cannot stand beside"),
        ("a = " + "[" * 100, "nested more than 50"),
        (".".join("a" * 1000) + " = 1", "more than 50 parts"),
    ],
)
def test_what_cannot_be_read(text, words):
    with pytest.raises(BadRequest) as refused:
        parse(text)

    assert words in str(refused.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(min_size=1), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_json_is_hocon(said):
    assert parse(json.dumps(said)) == said


@given(st.text() | st.text('ab.={}[]:,"$?+#/ \n\\'))
def test_any_text_is_read_or_refused(text):
    try:
        parse(text)
    except BadRequest as error:
        assert str(error)
