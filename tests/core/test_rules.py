"""Rule sets: every fault told at once, and which entries own a file."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from syncd.core.file import Kind, mask
from syncd.core.rules import (
    MOST_FAULTS,
    RuleFaults,
    Rules,
    Step,
    Subject,
    fingerprint,
    parse,
    schema,
)

Document = dict[str, Any]

ENTRIES = ["A", "B", "C"]
SLOTS = {"A": 0, "B": 1, "C": 2}
A, B, C = 1, 2, 4
NOW = 1_700_000_000.0
FILE = Subject(
    path="foo/bar", kind=Kind.FILE, size=10, mtime_ns=0, mime="text/plain", origin=A
)


def rules(*some: Document) -> Rules:
    return Rules(parse({"rules": list(some)}, ENTRIES), SLOTS)


def owners(subject: Subject, *some: Document) -> int:
    return rules(*some).judge(subject, NOW).owners


def faults(document) -> list[str]:
    with pytest.raises(RuleFaults) as caught:
        parse(document, ENTRIES)
    assert str(caught.value) == "\n".join(caught.value.faults)
    return caught.value.faults


# Reading ----------------------------------------------------------------------


def test_the_rules_of_the_documentation():
    first, second = parse(
        {
            "rules": [
                {"match": {"path": "/"}, "sync": ["A"]},
                {
                    "match": {"path": "/backedup/", "mime": ["application/pdf"]},
                    "sync": ["B"],
                },
            ]
        },
        ENTRIES,
    )

    assert (first.match.path, first.sync, first.ban) == ("/", ("A",), ())
    assert (second.match.mime, second.sync) == (("application/pdf",), ("B",))


def test_no_rules_are_rules():
    assert parse({"rules": []}, ENTRIES) == ()


@pytest.mark.parametrize("rule", [{"sync": ["A"]}, {"match": {}, "sync": ["A"]}])
def test_a_rule_without_criteria_matches_everything(rule):
    assert owners(replace(FILE, origin=0), rule) == A


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, 'the rules must be an object, {"rules": [...]}, not nothing'),
        ([], 'the rules must be an object, {"rules": [...]}, not a list'),
        ({}, "rules: is missing; no rules at all are an empty list, []"),
        ({"rules": {}}, "rules: must be a list, not an object"),
        ({"rules": None}, "rules: must be a list, not nothing"),
        ({"rules": [], "rule": []}, "unknown key rule; did you mean rules?"),
        ({"rules": [], 5: 1}, "unknown key the number 5; known: rules"),
        ({"rules": [7]}, "rules[0]: must be an object, not the number 7"),
        ({"rules": [{}]}, "rules[0]: must name an entry in sync or ban"),
        (
            {"rules": [{"sync": [], "ban": []}]},
            "rules[0]: must name an entry in sync or ban",
        ),
        (
            {"rules": [{"sync": ["A"]}, {"sync": ["D"]}]},
            "rules[1].sync[0]: no entry is called D; entries are A, B, C",
        ),
        (
            {"rules": [{"ban": ["a"]}]},
            "rules[0].ban[0]: no entry is called a; entries are A, B, C",
        ),
        (
            {"rules": [{"sync": ["A"], "match": {"from": ["X"]}}]},
            "rules[0].match.from[0]: no entry is called X; entries are A, B, C",
        ),
        ({"rules": [{"sync": "A"}]}, "rules[0].sync: must be a list, not 'A'"),
        (
            {"rules": [{"sync": ["A", "A"]}]},
            "rules[0].sync: has A more than once",
        ),
        (
            {"rules": [{"sync": [False]}]},
            "rules[0].sync[0]: must be text, not false; in YAML, put it in quotes",
        ),
        (
            {"rules": [{"sync": ["A"], "match": None}]},
            "rules[0].match: says nothing: leave it out, or give it a value",
        ),
        (
            {"rules": [{"sync": ["A"], "match": "/"}]},
            "rules[0].match: must be an object, not '/'",
        ),
        (
            {"rules": [{"sync": ["A"], "match": {"paht": "/"}}]},
            "rules[0].match: unknown key paht; did you mean path?",
        ),
        (
            {"rules": [{"sync": ["A"], "match": {"size": {"mim": 1}}}]},
            "rules[0].match.size: unknown key mim; did you mean min?",
        ),
        (
            {"rules": [{"sync": ["A"], "match": {"path": "foo"}}]},
            "rules[0].match.path: must begin with a slash: /foo",
        ),
        (
            {"rules": [{"sync": ["A"], "match": {"not": {"path": "/["}}}]},
            "rules[0].match.not.path: has a [ that is never closed, or a \\ at the end "
            "of a name; the characters themselves are \\[ and \\\\",
        ),
        (
            {"rules": [{"sync": ["A"], "match": {"mime": "png"}}]},
            "rules[0].match.mime[0]: must be like image/png or image/*, not 'png'",
        ),
        (
            {"rules": [{"sync": ["A"], "match": {"size": {"min": "2k", "max": 1}}}]},
            "rules[0].match.size: has a min above its max: the rule would never match",
        ),
        (
            {"rules": [{"sync": ["A"], "match": {"path": "/\ud800"}}]},
            "rules[0].match.path: must be valid Unicode",
        ),
        (
            {"rules": [{"sync": ["A"]}, {"ban": ["B"]}, {"match": {}, "sync": ["A"]}]},
            "rules[2]: is the same as rules[0]",
        ),
        ({"rules": [{}] * 10_001}, "rules: must not be more than 10000"),
    ],
)
def test_a_fault_is_told_with_its_place(document, words):
    assert faults(document) == [words]


def test_every_fault_is_told_at_once():
    document = {
        "more": 1,
        "rules": [
            {"match": {"path": "x", "size": {"min": "?"}}, "snyc": ["A"]},
            {"sync": ["A", "D", 5]},
            {"sync": ["A"]},
            {"sync": ["A"]},
        ],
    }

    places = [fault.partition(":")[0] for fault in faults(document)]
    assert places == [
        "unknown key more; known",
        "rules[0].match.path",
        "rules[0].match.size.min",
        "rules[0]",
        "rules[1].sync[1]",
        "rules[1].sync[2]",
        "rules[3]",
    ]


def test_a_thousand_faults_are_not_all_told():
    told = faults({"rules": [{"sync": ["D"]}] * 1000})

    assert len(told) == MOST_FAULTS + 1
    assert told[-1] == "... and 900 more"


def test_not_within_not_has_an_end():
    match: Document = {"path": "/"}
    for _ in range(9):
        match = {"not": match}
    assert parse({"rules": [{"match": match, "sync": ["A"]}]}, ENTRIES)

    for _ in range(2000):
        match = {"not": match}
    told = faults({"rules": [{"match": match, "sync": ["A"]}]})
    assert told == ["rules[0].match: has not within not within not, too deep"]


def test_a_document_that_contains_itself():
    match: Document = {}
    match["not"] = match

    assert "too deep" in faults({"rules": [{"match": match, "sync": ["A"]}]})[0]


def test_names_that_are_no_entries_pass_where_none_are_given():
    assert parse({"rules": [{"sync": ["D"]}]}, None)[0].sync == ("D",)


def test_faults_keep_the_words_of_any_error():
    assert str(RuleFaults("why")) == "why"
    assert RuleFaults("a", "b").faults == ["a", "b"]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.text(st.characters(categories=["Cs"]), max_size=2)
    | st.sampled_from(["A", "B", "/", "/*", "1MiB", "30d", "image/*", b"A"])
    | st.builds(lambda: 10**6000)
)
KEYS = st.text(max_size=3) | st.sampled_from(
    [
        "rules",
        "match",
        "sync",
        "ban",
        "path",
        "mime",
        "size",
        "age",
        "min",
        "max",
        "not",
    ]
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS | st.integers() | st.none(), inner, max_size=4)
    ),
)
SPANS = st.fixed_dictionaries({}, optional={"min": SCALARS, "max": SCALARS})
LOOSE = st.fixed_dictionaries(
    {},
    optional={
        "path": SCALARS,
        "mime": SCALARS | st.lists(SCALARS, max_size=2),
        "size": SPANS | SCALARS,
        "age": SPANS | SCALARS,
        "not": ANYTHING,
        "from": ANYTHING,
        "\ud800": SCALARS,
    },
)
NEARLY = st.fixed_dictionaries(
    {
        "rules": st.lists(
            st.fixed_dictionaries(
                {"sync": st.lists(SCALARS, max_size=2)},
                optional={"match": LOOSE | ANYTHING, "ban": ANYTHING, "x": SCALARS},
            ),
            max_size=3,
        )
    }
)


@given(ANYTHING | NEARLY)
@example({"rules": [{"\ud800": 1}]})
@example({"rules": [{"sync": ["A"], "match": {5: 1, None: 2}}]})
def test_any_document_is_refused_in_words_or_means_something(document):
    try:
        ready = Rules(parse(document, ENTRIES), SLOTS)
    except RuleFaults as error:
        assert error.faults
        assert all(fault.encode() and "\n" not in fault for fault in error.faults)
        return
    ready.judge(FILE, NOW)
    json.dumps(document, allow_nan=False)
    assert fingerprint(document, ENTRIES)


# Judging ----------------------------------------------------------------------

ALL_B = {"sync": ["B"]}
FOO_B = {"match": {"path": "/foo"}, "sync": ["B"]}
FOO_NOT_B = {"match": {"path": "/foo"}, "ban": ["B"]}


@pytest.mark.parametrize(
    ("some", "expected"),
    [
        ([], A),
        ([{"match": {"path": "/x"}, "sync": ["B"]}], A),
        ([FOO_B], A | B),
        ([{"match": {"path": "/fo"}, "sync": ["B"]}], A),
        ([ALL_B, FOO_NOT_B], A),
        ([FOO_NOT_B, ALL_B], A | B),
        ([ALL_B, FOO_NOT_B, FOO_B], A | B),
        ([{"sync": ["B", "C"], "ban": ["B"]}], A | C),
        ([{"ban": ["A"]}], 0),
        ([{"ban": ["A"]}, {"sync": ["A", "C"]}], A | C),
        ([{"match": {"path": "/foo", "mime": ["image/png"]}, "sync": ["B"]}], A),
        ([{"match": {"path": "/x", "mime": ["text/plain"]}, "sync": ["B"]}], A),
        ([{"match": {"path": "/foo", "mime": ["text/*"]}, "sync": ["B"]}], A | B),
        ([{"match": {"from": ["A"]}, "sync": ["C"]}], A | C),
        ([{"match": {"from": ["B"]}, "sync": ["C"]}], A),
    ],
)
def test_who_owns_a_file(some, expected):
    assert owners(FILE, *some) == expected


def test_a_file_that_grows_past_a_minimum_gets_owners():
    large = {"match": {"size": {"min": "1KiB"}}, "sync": ["B"]}

    assert owners(replace(FILE, size=1023), large) == A
    assert owners(replace(FILE, size=1024), large) == A | B


def test_entries_that_are_gone_are_ignored():
    some = parse({"rules": [{"sync": ["B", "D"]}, {"ban": ["E"]}]}, None)

    assert Rules(some, SLOTS).judge(FILE, NOW).owners == A | B


IMAGES_B = {"match": {"mime": "image/*"}, "sync": ["B"]}
UNKNOWN = replace(FILE, mime=None)


@pytest.mark.parametrize(
    ("some", "subject", "undecided"),
    [
        ([IMAGES_B], UNKNOWN, B),
        ([IMAGES_B], FILE, 0),
        ([IMAGES_B], replace(UNKNOWN, kind=Kind.DIRECTORY), 0),
        ([IMAGES_B], replace(UNKNOWN, origin=B), 0),
        ([{"match": {"mime": "image/*", "path": "/x"}, "sync": ["B"]}], UNKNOWN, 0),
        ([ALL_B, IMAGES_B], UNKNOWN, 0),
        ([IMAGES_B, ALL_B], UNKNOWN, 0),
        ([IMAGES_B, FOO_NOT_B], UNKNOWN, 0),
        ([FOO_NOT_B, IMAGES_B], UNKNOWN, B),
        ([{"match": {"mime": "a/b"}, "ban": ["A"]}], UNKNOWN, A),
        ([{"match": {"not": {"mime": "a/b"}}, "sync": ["A", "C"]}], UNKNOWN, C),
    ],
)
def test_the_type_is_asked_for_only_where_it_decides(some, subject, undecided):
    verdict = rules(*some).judge(subject, NOW)

    assert verdict.undecided == undecided
    assert verdict.needs_mime == bool(undecided)


def test_until_the_type_is_known_the_rule_does_not_match():
    assert owners(UNKNOWN, IMAGES_B) == A
    assert owners(UNKNOWN, {"match": {"not": {"mime": "a/b"}}, "sync": ["B"]}) == A


def test_the_earliest_moment_of_all_rules_is_told():
    ready = rules(
        {"match": {"age": {"min": "3d"}}, "sync": ["B"]},
        {"match": {"not": {"age": {"min": "2d"}}}, "ban": ["C"]},
        {"match": {"age": {"min": "1d"}, "path": "/x"}, "sync": ["B"]},
    )

    assert ready.judge(FILE, 0.0).judge_at == 2 * 86400
    assert ready.judge(FILE, 2 * 86400).judge_at == 3 * 86400
    assert ready.judge(FILE, 3 * 86400).judge_at is None


def test_who_wants_a_type():
    assert rules(FOO_B, IMAGES_B).wants_mime
    assert not rules(FOO_B).wants_mime


def test_what_each_rule_did_is_explained():
    ready = rules(
        {"sync": ["A", "B"]},
        {"match": {"path": "/x", "size": {"min": 1}}, "sync": ["C"]},
        {"match": {"size": {"max": 1}, "path": "/foo"}, "sync": ["C"]},
        IMAGES_B | {"ban": ["A"]},
        {"match": {"path": "/foo"}, "ban": ["B", "C"]},
    )

    assert ready.explain(UNKNOWN, NOW) == [
        Step(1, True, None, ("B",), ()),
        Step(2, False, "path", (), ()),
        Step(3, False, "size", (), ()),
        Step(4, None, "mime", (), ()),
        Step(5, True, None, (), ("B",)),
    ]


MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "path": st.sampled_from(["/", "/foo", "/foo/bar", "/x", "/*/bar", "/**/bar"]),
        "mime": st.sampled_from(["text/*", "image/png", "*/*"]),
        "size": st.sampled_from([{"min": 5}, {"max": 5}]),
        "age": st.sampled_from([{"min": "10s"}, {"max": "20s"}]),
        "from": st.sampled_from([["A"], ["B", "C"]]),
        "not": st.sampled_from(
            [{"path": "/foo"}, {"mime": "text/*"}, {"age": {"min": 7}}]
        ),
    },
)
NAMES = st.lists(st.sampled_from(ENTRIES), unique=True, max_size=2)
RULE = st.fixed_dictionaries({"match": MATCHES, "sync": NAMES, "ban": NAMES}).filter(
    lambda rule: rule["sync"] or rule["ban"]
)
SETS = st.lists(
    RULE, max_size=5, unique_by=lambda rule: json.dumps(rule, sort_keys=True)
)
TYPES = st.sampled_from(["text/plain", "image/png", "x/y"])
SUBJECTS = st.builds(
    Subject,
    path=st.sampled_from(["foo", "foo/bar", "x", "x/bar", "bar"]),
    kind=st.sampled_from(Kind),
    size=st.integers(0, 10),
    mtime_ns=st.integers(0, 30).map(lambda seconds: seconds * 10**9),
    mime=st.none() | TYPES,
    origin=st.integers(0, 7),
)
MOMENTS = st.integers(0, 60).map(float)


@given(SETS, SUBJECTS, MOMENTS)
def test_judging_is_the_rules_one_by_one(some, subject, now):
    expected = subject.origin
    for rule in some:
        if rules(rule).explain(subject, now)[0].matched:
            expected |= mask([SLOTS[name] for name in rule["sync"]])
            expected &= ~mask([SLOTS[name] for name in rule["ban"]])

    assert rules(*some).judge(subject, now).owners == expected


@given(SETS, SUBJECTS, MOMENTS)
def test_the_owners_are_a_fixed_point_where_rules_do_not_ask_for_them(
    some, subject, now
):
    ready = rules(*(rule for rule in some if "from" not in rule["match"]))
    once = ready.judge(subject, now).owners

    assert ready.judge(replace(subject, origin=once), now).owners == once


@given(SETS, SUBJECTS, MOMENTS, TYPES)
def test_a_type_that_is_not_needed_changes_nothing(some, subject, now, mime):
    ready = rules(*some)
    verdict = ready.judge(replace(subject, mime=None), now)
    after = ready.judge(replace(subject, mime=mime), now)

    assert (verdict.owners ^ after.owners) & ~verdict.undecided == 0
    assert not after.needs_mime


@given(SETS, SUBJECTS, MOMENTS)
def test_before_the_time_told_nothing_changes(some, subject, now):
    ready = rules(*some)
    verdict = ready.judge(subject, now)
    moment = now
    while moment < (verdict.judge_at or 100.0):
        assert ready.judge(subject, moment).owners == verdict.owners
        moment += 1


@given(SETS, SUBJECTS, MOMENTS)
def test_an_explanation_leads_to_the_same_owners(some, subject, now):
    ready = rules(*some)
    names = {name for name in ENTRIES if subject.origin >> SLOTS[name] & 1}
    for step in ready.explain(subject, now):
        assert not names & set(step.added)
        assert names >= set(step.removed)
        assert (step.failed is None) == (step.matched is True)
        names = (names | set(step.added)) - set(step.removed)

    assert mask({SLOTS[n] for n in names}) == ready.judge(subject, now).owners


@given(SUBJECTS, NAMES, NAMES)
def test_banning_comes_after_syncing_in_one_rule(subject, sync, ban):
    if sync or ban:
        result = owners(subject, {"sync": sync, "ban": ban})

        assert result & mask([SLOTS[name] for name in ban]) == 0


# The whole --------------------------------------------------------------------


def test_a_fingerprint_changes_with_the_rules_and_the_entries():
    one = {"rules": [{"match": {"path": "/", "mime": "a/b"}, "sync": ["A"]}]}
    same = {"rules": [{"sync": ["A"], "match": {"mime": "a/b", "path": "/"}}]}
    other = {"rules": [{"match": {"path": "/", "mime": "a/b"}, "sync": ["B"]}]}

    assert fingerprint(one, ["A", "B"]) == fingerprint(same, ["B", "A"])
    assert fingerprint(one, ["A", "B"]) != fingerprint(other, ["A", "B"])
    assert fingerprint(one, ["A", "B"]) != fingerprint(one, ["A"])


def test_a_file_asks_only_the_rules_that_may_be_about_its_folder():
    ready = rules(
        {"match": {"size": {"min": 1}}, "sync": ["A"]},
        {"match": {"path": "/a/**/*.jpg"}, "ban": ["B"]},
        *({"match": {"path": f"/{n}/x"}, "sync": ["B"]} for n in range(500)),
    )
    asked: list[int] = []

    def counted(one: Any) -> Any:
        holds = one.holds

        def asking(*given: Any) -> Any:
            asked.append(one.number)
            return holds(*given)

        return asking

    for one in ready._all:
        one.holds = counted(one)

    for path, numbers in (("a/b.jpg", [1, 2]), ("7/x", [1, 10]), ("else", [1])):
        asked.clear()
        ready.judge(replace(FILE, path=path), NOW)
        assert asked == numbers


SEED = {
    "rules": [
        {"match": {"path": "/"}, "sync": ["A"]},
        {
            "match": {"path": "/backedup/", "mime": ["application/pdf"]},
            "sync": ["B"],
        },
    ]
}


@pytest.mark.parametrize(
    ("document", "valid"),
    [
        (SEED, True),
        ({"rules": [{"match": {"size": {"min": "1MiB"}}, "ban": ["A"]}]}, True),
        ({"rules": [{"match": {"path": None}, "sync": ["A"]}]}, False),
        ({"rules": [{"sink": ["A"]}]}, False),
        ([], False),
    ],
)
def test_the_schema_tells_what_people_may_write(document, valid):
    described = json.loads(json.dumps(schema(), allow_nan=False))

    assert Draft202012Validator(described).is_valid(document) is valid
