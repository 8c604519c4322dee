from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.api.ranges import Unsatisfiable, attachment, is_known, part


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("bytes=0-4", (0, 5)),
        ("bytes=5-", (5, 5)),
        ("bytes=-3", (7, 3)),
        ("bytes=-99", (0, 10)),
        ("bytes=8-99", (8, 2)),
        ("Bytes= 9-9 ", (9, 1)),
        ("", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=4-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("bytes=1-2x", None),
        ("lines=1-2", None),
        ("bytes=" + "9" * 30 + "-", None),
    ],
)
def test_parts_of_ten_bytes(said, expected):
    assert part(said, 10) == expected


@pytest.mark.parametrize("said", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_parts_that_are_not_there(said):
    with pytest.raises(Unsatisfiable):
        part(said, 10)


@pytest.mark.parametrize("said", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_nothing_has_no_parts(said):
    with pytest.raises(Unsatisfiable):
        part(said, 0)


@given(st.text(max_size=20) | st.from_regex(r"bytes=\d*-\d*"), st.integers(0, 99))
def test_a_part_is_never_empty_nor_outside(said, size):
    try:
        found = part(said, size)
    except Unsatisfiable:
        return
    if found is not None:
        start, length = found
        assert length > 0
        assert 0 <= start < start + length <= size


@pytest.mark.parametrize("said", ['"x"', 'W/"x"', '"a", "x"', "*", ' "x" '])
def test_tags_that_are_known(said):
    assert is_known('"x"', said)


@pytest.mark.parametrize("said", ["", "x", '"y"', '"xx"', '"*"'])
def test_tags_that_are_not(said):
    assert not is_known('"x"', said)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_name_is_harmless_in_a_header_and_comes_back_whole(name):
    header = attachment(name)

    assert header.isascii()
    assert header.isprintable()
    plain, _, extended = header.partition("; filename*=UTF-8''")
    assert plain.startswith('attachment; filename="')
    assert plain.count('"') == 2
    assert unquote(extended) == name
