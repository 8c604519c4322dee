from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from syncd.document import Fault, parse, shown

HERE = Path("/nowhere")

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # PyYAML writes the old end of a line, U+0085, so that it reads as a space.
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x85")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc:- é\n"), inner),
    max_leaves=8,
)


def faults(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    return [f"{shown(f.place)}: {f.words}" for f in parse(data, HERE).faults]


@given(VALUES)
def test_what_was_written_is_read(value):
    said = parse(yaml.safe_dump(value, allow_unicode=True).encode(), HERE)

    assert said.faults == []
    assert said.value == value


@given(st.binary() | st.text("[]{}:,-?!&*<>|'\"% \n\tab01").map(str.encode))
def test_no_bytes_are_a_bug(data):
    said = parse(data, HERE)

    assert all(isinstance(fault, Fault) for fault in said.faults)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", "a: stands twice (line 3); keep one"),
        ("a: {b: {c: 1, c: 1}}", "a.b.c: stands twice (line 1); keep one"),
        (
            "a:\n\t- b",
            ": line 2, column 1: found character '\\t' that cannot start any token;"
            " indent with blanks",
        ),
        (b"a: 1\nb: \xff", ": line 2 is not UTF-8; save the file as UTF-8"),
        ("a: &x [*x]", ": an alias contains itself (line 1); undo that"),
        ("[" * 5000, ": is nested too deeply; no setting needs that"),
        ("a: \x01", ": the character U+0001 may not stand in YAML; take it out"),
        ('a: "\\0"', "a: holds NUL or half a character (line 1); take it out"),
        ('a: "\\ud800"', "a: holds NUL or half a character (line 1); take it out"),
        (
            "on: 1",
            ": has a key that is not text (line 1); put the key in quotes",
        ),
        ("a: .inf", "a: is not a usable float (line 1); put it in quotes for text"),
        ("a: !!int b", "a: is not a usable int (line 1); put it in quotes for text"),
        (
            "- !!python/name:os.system x",
            "0: has the unknown tag python/name:os.system (line 1);"
            " only !env and !file are known",
        ),
        ("a: {<<: [1]}", "a: << takes mappings only (line 1); name one by *ALIAS"),
        ("a: !env [b]", "a: !env takes one name (line 1); write !env NAME"),
    ],
)
def test_a_fault_has_a_place_and_a_remedy(text, words):
    assert faults(text) == [words]


def test_secrets_may_be_forbidden():
    said = parse(b"a: !env HOME\nb: !file x", None)

    assert [fault.words for fault in said.faults] == [
        "has the unknown tag !env (line 1); take it out",
        "has the unknown tag !file (line 2); take it out",
    ]
    assert said.secrets == frozenset()


def test_every_fault_is_told_at_once():
    assert len(faults("a: 1\na: 2\nb: !env NO_SUCH\nc: !file none\n1: 2")) == 4


def test_a_tower_of_aliases_is_refused():
    text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"a{n}: &a{n} [{', '.join(10 * [f'*a{n - 1}'])}]\n" for n in range(1, 9)
    )

    assert faults(text) == [": holds more than 100,000 values; shorten it"]


def test_dates_stay_as_written():
    assert parse(b"a: 2001-01-01", HERE).value == {"a": "2001-01-01"}


def test_a_merge_gives_way_to_what_stands_there():
    text = b"a: &a {x: 1, y: 1}\nb: {y: 2, <<: *a}\nc: {<<: [{x: 5}, *a]}"

    said = parse(text, HERE)

    assert said.faults == []
    assert said.value["b"] == {"x": 1, "y": 2}
    assert said.value["c"] == {"x": 5, "y": 1}


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert parse(b"\xef\xbb\xbfa: 1", HERE).value == {"a": 1}


class TestSecrets:
    def test_they_come_from_the_environment_and_from_files(self, tmp_path, monkeypatch):
        monkeypatch.setenv("A_PASSWORD", "open sesame")
        (tmp_path / "key").write_text("two\nlines\n\n")

        said = parse(b"a: !env A_PASSWORD\nb: !file key", tmp_path)

        assert said.faults == []
        assert said.value == {"a": "open sesame", "b": "two\nlines"}
        assert said.secrets == {"open sesame", "two\nlines"}

    def test_what_is_missing_is_a_fault(self, tmp_path, monkeypatch):
        monkeypatch.setenv("EMPTY", "")
        monkeypatch.delenv("UNSET", raising=False)
        (tmp_path / "empty").write_text("\n")
        (tmp_path / "binary").write_bytes(b"\xff")
        names = [
            "!env EMPTY",
            "!env UNSET",
            "!file none",
            "!file empty",
            "!file binary",
        ]
        text = "\n".join(f"- {name}" for name in [*names, "!file ."])

        told = [fault.words for fault in parse(text.encode(), tmp_path).faults]

        assert told == [
            "the environment variable EMPTY is empty; set it",
            "the environment variable UNSET is not set; set it",
            f"cannot read {tmp_path}/none: No such file or directory;"
            " make it readable for syncd",
            f"{tmp_path}/empty is empty; write the secret into it",
            f"{tmp_path}/binary is not UTF-8; save it as UTF-8",
            f"cannot read {tmp_path}: Is a directory; make it readable for syncd",
        ]

    def test_an_endless_file_is_not_read_to_its_end(self, tmp_path):
        said = parse(b"a: !file /dev/zero", tmp_path)

        assert [fault.words for fault in said.faults] == [
            "/dev/zero is not UTF-8 text; syncd takes text only"
        ]

    def test_a_variable_that_is_not_text_is_a_fault(self, monkeypatch):
        monkeypatch.setenv("ODD", "\udcff")

        assert faults("a: !env ODD") == [
            "a: the environment variable ODD is not UTF-8 text; syncd takes text only"
        ]
