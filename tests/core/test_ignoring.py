import pytest

from syncd.core.ignoring import Ignored
from syncd.errors import ConfigError

PATTERNS = ["*.tmp", ".git/", "/build", "!keep.tmp", "!.git/kept"]


@pytest.mark.parametrize(
    ("path", "folder", "ignored"),
    [
        ("a.tmp", False, True),
        ("d/a.tmp", False, True),
        ("a.tmp", True, True),
        ("a.tmp/inside", False, True),
        ("keep.tmp", False, False),
        (".git", True, True),
        (".git", False, False),
        (".git/x/y", False, True),
        (".git/kept", False, True),
        ("build", False, True),
        ("build/x", True, True),
        ("d/build", False, False),
        ("plain", False, False),
        ("plain", True, False),
        (".syncd-marker", False, True),
        ("d/.syncd-x.tmp", False, True),
    ],
)
def test_what_is_left_out(path, folder, ignored):
    assert Ignored(PATTERNS).has(path, folder=folder) is ignored


@pytest.mark.parametrize("path", ["a.tmp", "plain", ".git"])
@pytest.mark.parametrize("folder", [True, False])
def test_a_name_in_a_folder_that_is_not_left_out(path, folder):
    ignored = Ignored(PATTERNS)

    assert ignored.has_name(path, folder=folder) is ignored.has(path, folder=folder)


def test_without_patterns_only_our_own_is_left_out():
    ignored = Ignored([])

    assert not ignored.has("a.tmp")
    assert not ignored.has_name("a.tmp", folder=False)
    assert ignored.has(".syncd-marker")


def test_a_path_may_be_very_deep():
    deep = "/".join(["d"] * 3000)

    assert not Ignored(["*.tmp"]).has(deep)
    assert Ignored(["/d/d/"]).has(deep)


@pytest.mark.parametrize(
    ("path", "folder", "pattern"),
    [
        ("a.tmp", False, "*.tmp"),
        ("d/a.tmp", False, "*.tmp"),
        (".git/x/y", False, ".git/"),
        (".git", True, ".git/"),
        (".git", False, None),
        # The folder comes before what lies in it, the later pattern before the earlier.
        (".git/a.tmp", False, ".git/"),
        (".git/kept", False, ".git/"),
        ("build", False, "/build"),
        ("keep.tmp", False, None),
        ("plain", False, None),
    ],
)
def test_which_pattern_it_is(path, folder, pattern):
    ignored = Ignored(["", "# ours", *PATTERNS])

    assert ignored.pattern(path, folder=folder) == pattern
    assert (pattern is not None) is ignored.has(path, folder=folder)


def test_without_patterns_none_is_found():
    assert Ignored([]).pattern("a") is None


def test_a_pattern_that_cannot_be():
    with pytest.raises(ConfigError):
        Ignored(["!"])
