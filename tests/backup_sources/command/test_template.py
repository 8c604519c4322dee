import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.backup_sources.command import arguments
from syncd.backup_sources.command.template import Template, parse
from syncd.errors import BadRequest

BOTH = [
    ("%(data_folder)s", "{{ .data_folder }}"),
    ("%(dbs)s", "{{.dbs}}"),
    ("%(dbmap)s", "{{ .dbmap}}"),
    ("%(mode)s", "{{\t.mode }}"),
]
NAMES = st.from_regex(r"\A[A-Za-z0-9_-][A-Za-z0-9_.-]{0,20}\Z")
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda each: (
            st.lists(each, max_size=3)
            | st.dictionaries(st.text(max_size=5), each, max_size=3)
        ),
        max_leaves=5,
    ).filter(lambda value: isinstance(value, list | dict)),
)
EVIL = ["x --evil=1", '"', "a\nb", "'", "$(id)", "`id`", "a b", ";", "\t", '"a" "b"']


def words(template: Template, **values) -> list[str]:
    return template.expand({name: list(those) for name, those in values.items()})


class TestExamples:
    def test_of_the_original(self):
        template = parse("/opt/backup.sh %(data_folder)s %(dbs)s %(mode)s", ["mode"])
        databases = ["a", {"b": {"collections": ["c"]}}]

        assert words(
            template,
            data_folder=["/vaults/1"],
            dbs=arguments.of_databases("-d", databases),
            mode=arguments.of_variable("mode", "x"),
        ) == [
            "/opt/backup.sh",
            "/vaults/1",
            "-d",
            '["a",{"b":{"collections":["c"]}}]',
            "-mode",
            "x",
        ]

    def test_of_a_map(self):
        template = parse("restore {{ .data_folder }} {{ .dbs }} {{ .dbmap }}")

        assert words(
            template,
            data_folder=["/v"],
            dbs=arguments.of_databases("-d", ["old"]),
            dbmap=arguments.of_map("-m", {"old": "new"}),
        ) == ["restore", "/v", "-d", '["old"]', "-m", '{"old":"new"}']

    def test_what_is_not_asked_for_becomes_no_words(self):
        template = parse("x %(data_folder)s %(dbs)s %(dbmap)s %(mode)s y", ["mode"])

        assert words(template, data_folder=["/v"]) == ["x", "/v", "y"]

    def test_a_folder_may_be_part_of_a_word(self):
        template = parse('tar -cf "%(data_folder)s/all of it.tar" /srv')

        assert words(template, data_folder=["/a b"]) == [
            "tar",
            "-cf",
            "/a b/all of it.tar",
            "/srv",
        ]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("ls -la", ["ls", "-la"]),
            ("  ls\n\t-la  ", ["ls", "-la"]),
            ("date +%%Y", ["date", "+%Y"]),
            ("date +%Y {{ .data_folder }}", ["date", "+%Y", "/v"]),
            ('"/opt/my tools/x" ""', ["/opt/my tools/x", ""]),
            ("""x {"a":1} it's -o"p""", ["x", '{"a":1}', "it's", '-o"p']),
            ("x \\ 'a b'", ["x", "\\", "'a", "b'"]),
            ("x }} {", ["x", "}}", "{"]),
        ],
    )
    def test_of_splitting(self, text, expected):
        assert words(parse(text), data_folder=["/v"]) == expected


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "begin with the program"),
            ("   ", "begin with the program"),
            ('""', "begin with the program"),
            ("%(data_folder)s/run", "begin with the program"),
            ("%(dbs)s", "begin with the program"),
            ('x "a', "never closed"),
            ('x "', "never closed"),
            ('x "a"b', "put a blank there"),
            ('x "a"%(data_folder)s', "put a blank there"),
            ("x %(nope)s", "names 'nope', which is none of .*data_folder"),
            ("x {{ .nope }}", "names 'nope'"),
            ("x {{ .nope.more }}", "names 'nope.more'"),
            ("x %(data_folder)d", "no place at"),
            ("x %d", "no place at"),
            ("x 100%", "%% for a percent sign"),
            ("x {{ data_folder }}", "no place at"),
            ("x {{ if .dbs }}", "no place at"),
            ("x {{ .dbs }} %(dbs)s", "mixes"),
            ("x --mode=%(mode)s", "mode inside of a word"),
            ('sh -c "dump %(dbs)s"', "dbs inside of a word"),
            ("x \0", "NUL"),
        ],
    )
    def test_say_what_is_wrong(self, text, why):
        with pytest.raises(ValueError, match=why):
            parse(text, ["mode"])

    @given(st.text(st.sampled_from('ab "%(){}.\n\t\\'), max_size=30))
    def test_are_the_only_way_to_fail(self, text):
        try:
            template = parse(text)
        except ValueError as error:
            assert re.search("; |no command can", str(error))
        else:
            assert template.words


class TestProperties:
    @given(st.lists(st.sampled_from(["x", "--y", "a=b", '"c d"', 0, 1, 2, 3])))
    def test_both_spellings_are_alike(self, choice):
        one, other = (
            "run " + " ".join(BOTH[c][n] if isinstance(c, int) else c for c in choice)
            for n in (0, 1)
        )

        assert parse(one, ["mode"]) == parse(other, ["mode"])

    @given(VALUES)
    @pytest.mark.parametrize("evil", EVIL)
    def test_a_value_is_always_one_word(self, evil, value):
        template = parse("run %(mode)s end", ["mode"])
        for each in (value, evil):
            try:
                given_ = arguments.variables({"mode": None}, {"mode": each})
            except BadRequest:
                assert str(each).startswith("-")
                continue
            expected = [] if each == "" else ["-mode"]
            said = template.expand(given_)

            assert said[0] == "run"
            assert said[-1] == "end"
            assert said[1:2] in (expected, ["end"])
            assert len(said) == (2 if each == "" else 4)

    @given(st.lists(NAMES, min_size=1), st.dictionaries(NAMES, NAMES, min_size=1))
    def test_names_are_always_one_word(self, names, others):
        template = parse("run %(data_folder)s %(dbs)s %(dbmap)s end")
        arguments.checked(names)

        said = words(
            template,
            data_folder=["/a folder"],
            dbs=arguments.of_databases("-d", names),
            dbmap=arguments.of_map("-m", others),
        )

        assert said[:3] + said[4:5] + said[6:] == [
            "run",
            "/a folder",
            "-d",
            "-m",
            "end",
        ]

    @given(st.lists(st.text(st.characters(exclude_characters='"%{\0'), max_size=9)))
    def test_quoted_words_come_out_as_they_are(self, texts):
        text = " ".join(["run", *(f'"{each}"' for each in texts)])

        assert parse(text).expand({}) == ["run", *texts]

    @given(
        st.lists(st.text(st.sampled_from("abc-/=.,"), min_size=1), min_size=1),
    )
    def test_plain_words_are_split_as_a_shell_would(self, texts):
        assert parse(" ".join(texts)).expand({}) == shlex.split(" ".join(texts))
