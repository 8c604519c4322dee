"""The rules file: read with clear faults, replaced as a whole or not at all."""

import os
import resource
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncd.core.rules import RuleFaults
from syncd.errors import Unavailable
from syncd.replication import rules_file

DOCUMENT = {
    "rules": [
        {"match": {"path": "/"}, "sync": ["A"]},
        {"match": {"path": "/backedup/", "mime": ["application/pdf"]}, "sync": ["B"]},
    ]
}
TEXT = """\
rules:
- match: {path: /}
  sync: [A]
- match:
    path: /backedup/
    mime: [application/pdf]
  sync: [B]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rules.yaml"


def fault(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(RuleFaults) as caught:
        rules_file.read(path)
    (only,) = caught.value.faults
    assert only.startswith(f"{path}: ")
    return only.removeprefix(f"{path}: ")


# Reading ----------------------------------------------------------------------


def test_a_file_is_read(path):
    path.write_text(TEXT)

    assert rules_file.read(path) == DOCUMENT


def test_a_byte_order_mark_is_no_fault(path):
    path.write_text("\ufeff" + TEXT)

    assert rules_file.read(path) == DOCUMENT


def test_a_file_that_is_not_there(path):
    with pytest.raises(RuleFaults, match=r"does not exist; make it with .*rules: \[\]"):
        rules_file.read(path)
    path.mkdir()
    with pytest.raises(RuleFaults, match="is not a file"):
        rules_file.read(path)
    with pytest.raises(RuleFaults, match="does not exist"):
        rules_file.read(path / "x" / "y")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty; no rules at all are the line rules: []"),
        ("# nothing\n", "is empty; no rules at all are the line rules: []"),
        ("- sync: [A]\n", "begins with a list; put the line rules: above it"),
        (b"rules:\n- sync: [\xff]\n", "line 2 is not UTF-8; save the file as UTF-8"),
        ("rules:\n- sync: [A]\n\tban: [B]\n", "line 3, column 1: "),
        ("rules: []\nrules: []\n", "rules: stands twice (line 2); keep one"),
        (
            "rules:\n- sync: [A]\n  sync: [B]\n",
            "rules[0].sync: stands twice (line 3); keep one",
        ),
        ("rules: [\n", "line 2, column 1: "),
        (
            "rules: !!python/name:os.system\n",
            "rules: has the unknown tag python/name:os.system (line 1); take it out",
        ),
        # Rules hold no secrets: they are answered as they are.
        (
            "rules: [{sync: [!env HOME]}]",
            "rules[0].sync[0]: has the unknown tag !env (line 1); take it out",
        ),
        ("rules: !file /etc/passwd", "rules: has the unknown tag !file (line 1)"),
        ("a: *b\n", "line 1, column 4: found undefined alias"),
        ("rules: []\n---\nrules: []\n", "line 2, column 1: but found another document"),
        ("rules: \0\n", "the character U+0000 may not stand in YAML; take it out"),
        ("rules: !!int x\n", "rules: is not a usable int (line 1); "),
        ("rules: !!bool x\n", "rules: is not a usable bool (line 1); "),
        ("rules: " + "9" * 5000, "rules: is not a usable int (line 1); "),
        ("[" * 100_000, "is nested too deeply"),
        ("{[a]: b}", "has a key that is not text (line 1); put the key in quotes"),
    ],
)
def test_what_is_no_rules_file(path, content, words):
    assert fault(path, content).startswith(words)


def test_tabs_are_told_how_to_be_mended(path):
    assert "indent with blanks" in fault(path, "rules:\n\t- sync: [A]\n")


def test_every_fault_is_told_at_once(path):
    path.write_text("rules:\n- {sync: [A], sync: [B]}\n- {ban: !x C}\n")
    with pytest.raises(RuleFaults) as caught:
        rules_file.read(path)

    assert [one.removeprefix(f"{path}: ") for one in caught.value.faults] == [
        "rules[0].sync: stands twice (line 2); keep one",
        "rules[1].ban: has the unknown tag !x (line 3); take it out",
    ]


def test_as_many_values_as_there_may_be_are_read(path, monkeypatch):
    monkeypatch.setattr(rules_file, "MOST_VALUES", 10)
    path.write_text("rules: [1, 2, 3, 4, 5, 6, 7, 8]")
    assert len(rules_file.read(path)["rules"]) == 8

    assert "more than 10 values" in fault(path, "rules: [1, 2, 3, 4, 5, 6, 7, 8, 9]")


def test_a_huge_file_is_not_read(path):
    path.touch()
    os.truncate(path, rules_file.MOST_BYTES + 1)
    with pytest.raises(RuleFaults, match="larger"):
        rules_file.read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=30) | st.text("{}[]:-!&*|>'\"%@#?,\n\t a1<=~.", max_size=20))
@example("? a\n? a\n")
@example("<<: 1")
@example("&a [*a]")
def test_any_file_is_refused_in_words_or_read(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        assert rules_file.read(path) is not None
    except RuleFaults as error:
        assert all(one.startswith(f"{path}: ") for one in error.faults)


# Writing ----------------------------------------------------------------------


def test_what_was_written_is_read_and_readable(path):
    rules_file.write(path, DOCUMENT)

    assert rules_file.read(path) == DOCUMENT
    comment, text = path.read_text().split("\n", 2)[::2]
    assert comment.startswith("# Written by PUT /rules")
    assert text == TEXT
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_previous_file_is_kept(path):
    path.write_text("# by hand\nrules: []\n")
    path.chmod(0o640)
    rules_file.write(path, DOCUMENT)

    backup = path.with_name("rules.yaml.bak")
    assert backup.read_text() == "# by hand\nrules: []\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(backup.stat().st_mode) == 0o640
    assert sorted(path.parent.iterdir()) == [path, backup]


def test_writing_the_same_again_keeps_the_backup(path):
    path.write_text("rules: []\n")
    rules_file.write(path, DOCUMENT)
    rules_file.write(path, DOCUMENT)

    assert path.with_name("rules.yaml.bak").read_text() == "rules: []\n"


def test_a_link_stays_a_link(path):
    real = path.with_name("real.yaml")
    real.write_text("rules: []\n")
    path.symlink_to(real)
    rules_file.write(path, DOCUMENT)

    assert path.is_symlink()
    assert rules_file.read(real) == DOCUMENT


def test_the_same_list_twice_is_written_twice(path):
    names = ["A"]
    rules_file.write(path, {"rules": [{"sync": names, "ban": names}]})

    assert "&" not in path.read_text()
    assert "*" not in path.read_text()


def test_a_full_disk_leaves_the_old_file(path):
    path.write_text(TEXT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(Unavailable, match="File too large"):
            rules_file.write(path, {"rules": []})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert path.read_text() == TEXT
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("folder", ["/proc/self", "/nonexistent", "/dev/null"])
def test_a_folder_that_cannot_be_written(folder):
    with pytest.raises(Unavailable, match=f"cannot write the rules to {folder}"):
        rules_file.write(Path(folder) / "rules.yaml", DOCUMENT)


def test_a_folder_where_the_file_should_be(path):
    path.mkdir()
    with pytest.raises(Unavailable, match="cannot write"):
        rules_file.write(path, DOCUMENT)

    assert list(path.parent.iterdir()) == [path]


def test_a_link_to_itself(path):
    path.symlink_to(path)
    with pytest.raises(Unavailable, match="cannot write"):
        rules_file.write(path, DOCUMENT)


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8
)
WORDS = TEXTS | st.sampled_from(
    ["no", "1:30", "0x1F", "1e3", "=", "2024-01-01", "null", "<<", "- a", "\U0010feff"]
)
DOCUMENTS = st.recursive(
    st.booleans()
    | st.integers()
    | WORDS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
    ),
).map(lambda value: {"rules": value})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DOCUMENTS)
@example({"rules": [{"match": {"path": "/a\x85b\u2028 c\u2029\ufeff\r"}}]})
@example({"rules": {"\x85": False}})
def test_any_document_comes_back_as_it_was(path, document):
    rules_file.write(path, document)

    assert rules_file.read(path) == document
