import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.vault import path_trouble

GOOD = ["a", "a/b", ".a", "a/.b", "...", "a/..b", "a b", "\udcff", "a\nb", "a./b"]
BAD = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/.",
    "a/..",
    "./a",
    "../a",
    "a/../b",
    "\0",
]


@pytest.mark.parametrize("path", GOOD)
def test_paths_inside_a_vault(path):
    assert path_trouble(path) == ""


@pytest.mark.parametrize("path", BAD)
def test_paths_that_lead_elsewhere_or_nowhere(path):
    assert path_trouble(path)


@given(st.lists(st.sampled_from(["a", ".", "..", "", ".b"]), max_size=5).map("/".join))
def test_every_part_is_a_name(path):
    parts = path.split("/")

    assert (path_trouble(path) == "") == all(p not in ("", ".", "..") for p in parts)
