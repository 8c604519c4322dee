"""Items of archives: read, handed on, and watched for traps."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.borg.listing import Item, Links, Reader, above, batches, packed
from syncd.errors import StorageError

ITEMS = st.builds(
    Item,
    st.text(min_size=1),
    st.sampled_from("-dl"),
    st.just("drwxr-xr-x"),
    st.text(),
    st.text(),
    st.integers(0, 2**62),
    st.floats(0, 2e9),
    st.booleans(),
    st.text(),
)


def line(**more: Any) -> bytes:
    said = {
        "type": "-",
        "mode": "-rw-r--r--",
        "user": "root",
        "group": "root",
        "uid": 0,
        "gid": 0,
        "path": "a",
        "healthy": True,
        "source": "",
        "linktarget": "",
        "flags": 0,
        "size": 3,
        "mtime": "1970-01-01T00:00:01",
    }
    return json.dumps({**said, **more}).encode() + b"\n"


def item(path: str, type: str = "-", target: str = "") -> Item:
    return Item(path, type, "", "", "", 0, 0.0, True, target)


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_pieces_may_end_anywhere(size):
    whole = line() + line(path="ä") + line(path="c", type="l", linktarget="a")
    reader = Reader()

    items = [
        one
        for start in range(0, len(whole), size)
        for one in reader.feed(whole[start : start + size])
    ]
    reader.end()

    assert [one.path for one in items] == ["a", "ä", "c"]
    assert [one.target for one in items] == ["", "", "a"]
    assert items[0] == Item("a", "-", "-rw-r--r--", "root", "root", 3, 1.0, True, "")


def test_who_has_no_name_has_a_number():
    [one] = Reader().feed(line(user="", group=None, uid=1000, gid=7))
    [other] = Reader().feed(line(user=5))

    assert (one.owner, one.group) == ("1000", "7")
    assert other.owner == "5"


def test_a_time_with_its_zone_is_kept():
    [one] = Reader().feed(line(mtime="1970-01-01T01:00:01+01:00"))

    assert one.mtime == 1.0


@pytest.mark.parametrize("bad", [b"no\n", b"{}\n", line(mtime="yesterday")])
def test_what_is_no_item_is_told(bad):
    with pytest.raises(StorageError, match="Borg lists what is no item"):
        Reader().feed(bad)


def test_a_list_that_is_cut_off_is_told():
    reader = Reader()
    reader.feed(line()[:-1])

    with pytest.raises(StorageError, match="ends within a line"):
        reader.end()


@given(st.lists(st.lists(ITEMS, min_size=1, max_size=3), max_size=3))
def test_batches_come_back(many):
    whole = b"".join(packed(one) for one in many)

    assert list(batches(io.BytesIO(whole).read)) == many


@given(st.lists(ITEMS, min_size=1), st.data())
def test_batches_that_are_cut_off_are_told(items, data):
    whole = packed(items)
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]

    with pytest.raises(StorageError, match="cut off"):
        list(batches(io.BytesIO(cut).read))


@pytest.mark.parametrize("bad", [b"\0\0\0\1\1", b"\xff\xff\xff\xff\1", b"\0\0\0\0"])
def test_batches_that_are_damaged_are_told(bad):
    with pytest.raises(StorageError, match=r"damaged|cut off"):
        list(batches(io.BytesIO(bad).read))


def test_what_is_above():
    assert above("a/b/c") == ["a/b/c", "a/b", "a"]
    assert above("a") == ["a"]


def test_links_are_no_trap_where_nothing_lies_behind_them():
    links = Links()

    for one in (
        item(".", "d"),
        item("a", "d"),
        item("a/b", "l", "/etc"),
        item("a/bc"),
        item("a/b2/c"),
        item("a/d", target="a/bc"),
        item("a/e", "l", "../b"),
    ):
        links.see(one)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([item("a", "l"), item("a/b")], "behind a link"),
        ([item("a/b", "l"), item("a/b/c/d")], "behind a link"),
        ([item("../a")], "leads out"),
        ([item("/a")], "leads out"),
        ([item("a/..")], "leads out"),
        ([item("./a", "l"), item("a/b")], "behind a link"),
        ([item("a//b", "l"), item("a/b/c")], "behind a link"),
        ([item("a", "l"), item("./a//b")], "behind a link"),
        ([item("a", target="../b")], "leads out"),
        ([item("a", target="/b")], "leads out"),
        ([item("a", "l"), item("b", target="./a/c")], "behind a link"),
    ],
)
def test_traps_are_seen(items, words):
    links = Links()

    with pytest.raises(StorageError, match=words):
        for one in items:
            links.see(one)
