import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.backup_sources.command import arguments
from syncd.errors import BadRequest

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "databases",
    [
        ["a"],
        ["a", "B-1", "_c.d", "-e", "9"],
        [{"b": {"collections": ["c"]}}],
        [{"b": {"collections": ["c", {"d": {"year": {"$gt": 2000}}}]}}],
        [{"b": {"tables": ["t", "public.u"]}}, "c"],
        [],
    ],
)
def test_databases_are_taken_and_named(databases):
    names = [one if isinstance(one, str) else next(iter(one)) for one in databases]

    assert arguments.checked(databases) == names


@pytest.mark.parametrize(
    "bad",
    [
        "",
        ".a",
        "..",
        "a/b",
        "a b",
        "a\n",
        "a" * 256,
        "é",
        "a;b",
        "a'",
        'a"',
        None,
        7,
        True,
        ["a"],
        {},
        {"a": {"tables": ["t"]}, "b": {"tables": ["t"]}},
        {"a b": {"tables": ["t"]}},
        {"a": {}},
        {"a": None},
        {"a": {"tables": ["t"], "collections": ["c"]}},
        {"a": {"views": ["v"]}},
        {"a": {"tables": "t"}},
        {"a": {"tables": [""]}},
        {"a": {"tables": ["a\n"]}},
        {"a": {"tables": [{"t": {}}]}},
        {"a": {"collections": [{"c": "query"}]}},
        {"a": {"collections": [{"c": {}, "d": {}}]}},
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_one_is_refused_at_every_place(bad, place):
    databases = ["one", "two"]
    databases.insert(place, bad)

    with pytest.raises(BadRequest):
        arguments.checked(databases)


@pytest.mark.parametrize("databases", ["abc", {"a": 1}, 7, None])
def test_what_is_no_list_is_refused(databases):
    with pytest.raises(BadRequest, match="a list"):
        arguments.checked(databases)


@given(st.lists(ANYTHING))
def test_whatever_is_asked_is_taken_or_refused(databases):
    try:
        names = arguments.checked(databases)
    except BadRequest:
        return
    key, word = arguments.of_databases("-d", databases)

    assert len(names) == len(databases)
    assert (key, json.loads(word)) == ("-d", databases)


@pytest.mark.parametrize("names", [{"a": "b c"}, {"a b": "c"}, {"a": "b", "c": "../d"}])
def test_every_name_of_a_map_is_checked(names):
    with pytest.raises(BadRequest, match="not the name of a database"):
        arguments.of_map("-m", names)


def test_nothing_to_say_is_no_word():
    assert arguments.of_databases("-d", None) == []
    assert arguments.of_map("-m", {}) == []
    assert arguments.of_variable("mode", None) == []
    assert arguments.of_variable("mode", "") == []


def test_a_key_may_be_several_words_or_none():
    assert arguments.of_databases("--only these", ["a"]) == ["--only", "these", '["a"]']
    assert arguments.of_databases("", ["a"]) == ['["a"]']


@pytest.mark.parametrize(
    ("value", "word"),
    [("x", "x"), (1, "1"), (-5, "-5"), ("-5", "-5"), (1.5, "1.5"), (True, "True")],
)
def test_a_plain_value_is_told_as_it_is(value, word):
    assert arguments.of_variable("mode", value) == ["-mode", word]


def test_a_value_of_parts_is_json_without_blanks():
    assert arguments.of_variable("v", {"a": [1, "b c"]}) == ["-v", '{"a":[1,"b c"]}']


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("--evil=1", "take it for an option"),
        ("-", "take it for an option"),
        ("a\0b", "NUL"),
        ("\ud800", "Unicode"),
        ("x" * 131072, "more than a command takes"),
    ],
)
def test_a_value_that_is_of_no_use_is_refused(value, why):
    with pytest.raises(BadRequest, match=why):
        arguments.of_variable("mode", value)


def test_the_longest_word_is_one_that_linux_takes():
    assert arguments.of_variable("m", "x" * arguments.LONGEST_WORD)


def test_variables_are_given_or_have_defaults():
    declared = {"mode": None, "region": "eu", "zone": 1}

    assert arguments.variables(declared, {"zone": 2}) == {
        "mode": [],
        "region": ["-region", "eu"],
        "zone": ["-zone", "2"],
    }
    assert arguments.variables(declared, {"region": None})["region"] == []


def test_undeclared_variables_are_refused_with_those_there_are():
    with pytest.raises(BadRequest, match=r"'evil', 'worse'; declared are: mode"):
        arguments.variables({"mode": None}, {"worse": 1, "mode": 2, "evil": 3})
    with pytest.raises(BadRequest, match="declared are: none"):
        arguments.variables({}, {"x": 1})


def test_declared_variables_have_defaults_or_none():
    assert arguments.declared(["mode", {"region": "eu"}, {"n": 3}]) == {
        "mode": None,
        "region": "eu",
        "n": 3,
    }
