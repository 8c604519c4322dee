"""Path patterns: a path and all below it by component, and globs."""

import re
import time

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


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/" + "*-" * 20 + "*.jpg", "-" * 255),
        ("/" + "**/a/" * 20 + "b", "a/" * 2000 + "c"),
        ("/**/" + "*a" * 50 + "/b", "/".join(["a" * 255] * 15)),
    ],
)
def test_no_name_makes_matching_slow(pattern, path):
    began = time.process_time()

    assert not matches(pattern, path)
    assert time.process_time() - began < 0.5


def test_checking_brackets_is_never_slow():
    began = time.process_time()

    with pytest.raises(ValueError, match="never closed"):
        glob.check("/*" + "[]" * 2000 + "[")
    assert time.process_time() - began < 0.5
