"""Names as text, as bytes and as ids."""

import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncd.core import path as paths
from syncd.errors import BadRequest

NAMES = st.binary(min_size=1, max_size=40).filter(lambda n: not set(n) & {0, 0x2F})
TEXTS = st.text(min_size=1, max_size=20).filter(lambda t: not set(t) & {"\0", "/"})
DISK_NAMES = NAMES | TEXTS.map(str.encode)
OURS = "\U0010fe80".encode()


@given(DISK_NAMES)
@example(b"\xff")
@example(OURS)
@example(OURS[:3])
@example("\ud800".encode(errors="surrogatepass"))
def test_every_name_of_a_disk_comes_back_byte_by_byte(name):
    assert paths.to_bytes(paths.from_bytes(name)) == name


@given(DISK_NAMES)
@example(b"\xed\xa0\x80")
def test_the_text_of_every_name_is_valid_unicode(name):
    assert paths.from_bytes(name).encode().decode() == paths.from_bytes(name)


@given(DISK_NAMES, DISK_NAMES)
@example(OURS, b"\xff")
@example(OURS, "\U0010fef4\U0010fe8f\U0010feba\U0010fe80".encode())
def test_two_names_never_share_a_text(one, other):
    same = paths.from_bytes(one) == paths.from_bytes(other)

    assert same == (one == other)


@given(st.lists(DISK_NAMES, min_size=2, max_size=4))
@example([OURS, b"a"])
@example([b"a", OURS, b"\xff"])
def test_a_folders_text_begins_the_text_of_what_lies_in_it(parts):
    whole = paths.from_bytes(b"/".join(parts))

    assert whole == "/".join(paths.from_bytes(part) for part in parts)
    assert paths.parent(whole) == paths.from_bytes(b"/".join(parts[:-1]))
    assert paths.name(whole) == paths.from_bytes(parts[-1])


@given(TEXTS)
def test_a_name_that_is_utf8_and_not_of_our_range_is_its_own_text(text):
    ours = any(0x10FE80 <= ord(c) <= 0x10FEFF for c in text)

    assert (paths.from_bytes(text.encode()) == text) == (not ours)
    assert paths.is_plain(paths.from_bytes(text.encode())) == (not ours)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"plain.txt", "plain.txt"),
        ("Grüße".encode(), "Grüße"),
        (b"a\xffb", r"a\xffb"),
        (b"\xc3(", r"\xc3("),
        (OURS, r"\xf4\x8f\xba\x80"),
    ],
)
def test_people_see_bytes_that_are_no_text_as_numbers(name, shown):
    assert paths.readable(paths.from_bytes(name)) == shown


@pytest.mark.parametrize(
    ("path", "fid"),
    [
        ("toto", "91473751-8e49-5240-b03c-96547fcd86dc"),
        ("photos/foo.jpg", "0fe87082-01a2-5468-83f6-6171eb061fe4"),
    ],
)
def test_ids_are_those_of_onitu(path, fid):
    assert paths.fid(path) == fid


@given(DISK_NAMES)
def test_an_id_is_the_uuid5_of_the_text(name):
    path = paths.from_bytes(name)
    expected = uuid.uuid5(paths.NAMESPACE, path)

    assert paths.fid(path) == str(expected)
    assert paths.fid_bytes(path) == expected.bytes


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("a", "a"),
        ("/a/b.txt", "a/b.txt"),
        ("a/b/", "a/b"),
        ("...", "..."),
        ("a/..b", "a/..b"),
        (" ", " "),
        ("a\nb", "a\nb"),
        ("\\", "\\"),
    ],
)
def test_paths_inside_an_entry(path, clean):
    assert paths.checked(path) == clean


@pytest.mark.parametrize(
    "path",
    ["", "/", "..", "a/../b", "/..", ".", "a/./b", "a//b", "a\0b", "a/..", "\ud800"],
)
def test_paths_that_leave_an_entry_or_name_nothing_are_refused(path):
    with pytest.raises(BadRequest, match="not a path"):
        paths.checked(path)


@pytest.mark.parametrize(
    ("path", "reserved"),
    [
        (".syncd-marker", True),
        ("a/.syncd-1-2.tmp", True),
        (".syncd-x/a", True),
        (".syncd", False),
        ("a.syncd-b", False),
        ("a/b.syncd-c/d", False),
    ],
)
def test_names_that_are_our_own(path, reserved):
    assert paths.is_reserved(path) == reserved


def test_what_lies_at_the_root_has_the_empty_parent():
    assert paths.parent("a") == ""
    assert paths.name("a") == "a"
