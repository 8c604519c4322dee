"""Path patterns: a path and all below it by component, and globs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core import glob


def matches(pattern: str, path: str) -> bool:
    test = glob.compiled(glob.check(pattern)).test
    return test is None or test(path)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("/", ["a", "a/b", ".hidden"], []),
        ("/foo", ["foo", "foo/bar", "foo/a/b"], ["foobar", "foo.txt", "a/foo", "Foo"]),
        ("/foo/", ["foo", "foo/bar"], ["foobar", "fo"]),
        ("/a/b.txt", ["a/b.txt", "a/b.txt/c"], ["a/bXtxt", "a/b.txt2", "b.txt"]),
        (r"/a\b", [r"a\b", r"a\b/c"], ["ab", "a/b"]),
        ("/{abc}", ["{abc}", "{abc}/d"], ["abc"]),
        ("/*", ["a", ".a", "a\nb"], ["a/b"]),
        ("/**", ["a", "a/b/c", ".a/.b"], []),
        ("/*.jpg", ["a.jpg", ".jpg"], ["a.jpg/b", "d/a.jpg", "a.JPG", "a.jpg\n"]),
        ("/**/*.jpg", ["a.jpg", "d/a.jpg", ".d/e/.a.jpg"], ["a.png", "a.jpg/b"]),
        ("/photos/*", ["photos/a", "photos/.a"], ["photos", "photos/a/b", "photosX/a"]),
        ("/photos/**", ["photos/a", "photos/a/b"], ["photos", "photosX/a", "x"]),
        ("/photos/**/*.jpg", ["photos/a.jpg", "photos/a/b.jpg"], ["a.jpg", "photos/a"]),
        ("/a/**/b", ["a/b", "a/x/b", "a/x/y/b", "a/b/b"], ["a", "a/b/c", "b", "ab"]),
        ("/**/a/**/b/**", ["a/b/c", "x/a/y/b/z/z", "a/a/b/b"], ["a/b", "b/a/c"]),
        ("/a?c", ["abc", "a.c"], ["ac", "a/c", "abbc"]),
        ("/[a-c]x", ["ax", "cx"], ["dx", "x", "[a-c]x"]),
        ("/[!a]x", ["bx"], ["ax", "/x"]),
        ("/[]a]", ["]", "a"], ["b"]),
        ("/{a,b}/c", ["a/c", "b/c"], ["c", "a", "{a,b}/c", "a/c/d"]),
        ("/{a/b,c}/*", ["a/b/x", "c/x"], ["a/x", "b/x"]),
        ("/x.{jpg,png}", ["x.jpg", "x.png"], ["x.gif", "x."]),
        (r"/a\*", ["a*"], ["ab", "a"]),
        (r"/a\[1\]/**", ["a[1]/x"], ["a1/x", "a[1]"]),
        (r"/\{a,b\}", [r"{a,b}"], ["a", "b"]),
        ("/été*", ["été", "été 1"], ["ete"]),
    ],
)
def test_what_a_pattern_matches(pattern, yes, no):
    wrong = [one for one in yes if not matches(pattern, one)]
    wrong += [one for one in no if matches(pattern, one)]

    assert wrong == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "begin with a slash"),
        ("foo", "slash: /foo"),
        ("//", "two slashes"),
        ("/a//b", "two slashes"),
        ("/a/../b", ". or .."),
        ("/./a", ". or .."),
        ("/*/..", ". or .."),
        ("/{a,}/b", "two slashes"),
        ("/a\0", "zero byte"),
        ("/" + "a" * 5000, "4096"),
        ("/photos/*/", "/photos/*/**"),
        ("/a[b", "never closed"),
        ("/a[b/c]", "never closed"),
        ("/[]", "never closed"),
        ("/*\\", "at the end"),
        ("/a**", "stand alone"),
        ("/**.jpg", "stand alone"),
        ("/***", "stand alone"),
        ("/{1..100000}", "100 alternatives"),
        ("/{a,b}" * 12, "100 alternatives"),
        ("/" + "{a," * 30 + "}" * 30, "pairs of braces"),
    ],
)
def test_what_is_no_pattern(pattern, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        glob.check(pattern)


@given(st.text(max_size=40) | st.text(alphabet="/a*?[]!{},.\\^-", max_size=30))
def test_any_text_is_refused_or_means_something(text):
    try:
        pattern = glob.compiled(glob.check("/" + text))
    except ValueError:
        return
    assert pattern.test is None or pattern.test("a/b") in (True, False)


NAMES = st.text(alphabet="ab.", min_size=1, max_size=3).filter(
    lambda name: name not in (".", "..")
)
PATHS = st.lists(NAMES, min_size=1, max_size=5)
PARTS = st.sampled_from(["**", "*", "a", "b", "ab", "?", "*b", "[ab]", "a*"])


def simply(parts: list[str], names: list[str]) -> bool:
    """The same by trying everything: ** as any number of names, or at the end, some."""
    if not parts:
        return not names
    if parts == ["**"]:
        return bool(names)
    if parts[0] == "**":
        return any(simply(parts[1:], names[n:]) for n in range(len(names) + 1))
    one = {"*": ".+", "a*": "a.*", "*b": ".*b", "?": "."}.get(parts[0], parts[0])
    return (
        bool(names)
        and re.fullmatch(one, names[0]) is not None
        and simply(parts[1:], names[1:])
    )


@given(st.lists(PARTS, min_size=1, max_size=5), PATHS)
def test_a_glob_matches_as_if_everything_was_tried(parts, names):
    expected = simply(parts, names) or (
        # without any wildcard it is a plain path, which has all below it as well
        not set("".join(parts)) & set("*?[") and names[: len(parts)] == parts
    )

    assert matches("/" + "/".join(parts), "/".join(names)) == expected


@given(PATHS, PATHS)
def test_a_plain_path_has_itself_and_all_below_it_by_component(folder, path):
    expected = path[: len(folder)] == folder

    assert matches("/" + "/".join(folder), "/".join(path)) == expected
    assert matches("/" + "/".join(folder) + "/", "/".join(path)) == expected


@given(st.lists(PARTS, min_size=1, max_size=5), PATHS)
def test_all_that_matches_lies_under_the_head(parts, names):
    pattern = glob.compiled("/" + "/".join(parts))

    if pattern.test and pattern.test("/".join(names)):
        assert pattern.head in (None, names[0])


class Counted:
    """Tests of single parts that count how often they are asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self._wild = glob.wild
        monkeypatch.setattr(glob, "wild", self.wild)

    def wild(self, pattern: str) -> glob.Test:
        test = self._wild(pattern)

        def counted(text: str) -> bool:
            self.asked += 1
            return test(text)

        return counted


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/" + "**/a/" * 20 + "b", "a/" * 2000 + "cb"),
        ("/" + "**/a*/b/" * 20 + "c", "ab/b/" * 1000 + "a/c"),
        ("/**/a/**/a/**/a/x*", "a/" * 300 + "a"),
    ],
)
def test_folders_are_asked_at_most_once_for_every_part(monkeypatch, pattern, path):
    counted = Counted(monkeypatch)
    matches(pattern, path)

    assert 0 < counted.asked <= len(path.split("/")) * len(pattern.split("/"))


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("*-" * 20 + "x*.jpg", "-" * 250 + ".jpg"),
        ("*a" * 50 + "b*a", "a" * 255),
        ("*[ab]" * 30 + "c*?", "ab" * 120),
        ("*a?" * 30 + "*c*b", "a" * 200 + "b"),
    ],
)
def test_no_star_in_a_name_is_gone_back_into(part, name):
    """Otherwise this would not end before the suite is stopped, or the world."""
    assert not matches(f"/{part}", name)
    assert not matches(f"/**/d/{part}", f"d/d/{name}")


def test_brackets_are_not_gone_back_into_either():
    with pytest.raises(ValueError, match="never closed"):
        glob.check("/*" + "[]" * 2000 + "[")
    with pytest.raises(ValueError, match="never closed"):
        glob.check("/*[" + r"\a" * 2000)
