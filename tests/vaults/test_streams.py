import io

import pytest

from syncd.errors import BadRequest, TooLarge
from syncd.vaults import streams
from syncd.vaults.streams import Bounded, Forward


def test_a_directory_is_read_up_to_its_bound(monkeypatch):
    monkeypatch.setattr(streams, "MOST_AT_ONCE", 10)

    assert Bounded(io.BytesIO(b"x" * 9)).read() == b"x" * 9
    assert Bounded(io.BytesIO(b"x" * 20)).read(10) == b"x" * 10
    for size in (-1, 11):
        with pytest.raises(TooLarge):
            Bounded(io.BytesIO(b"x" * 20)).read(size)


def test_forward_and_one_byte_back():
    source = Forward(io.BytesIO(bytes(range(100))), 1000)

    assert source.read(10) == bytes(range(10))
    assert source.seek(9) == source.tell() == 9
    assert source.read(2) == bytes([9, 10])
    assert source.seek(50) == 50
    assert source.read(1) == bytes([50])
    assert source.read(0) == b""
    assert source.seek(1000) == 100


@pytest.mark.parametrize(("place", "whence"), [(5, 0), (0, 1), (-1, 2)])
def test_nothing_leads_backwards(place, whence):
    source = Forward(io.BytesIO(bytes(100)), 1000)
    source.read(10)

    with pytest.raises(BadRequest):
        source.seek(place, whence)


def test_what_comes_out_is_bounded():
    source = Forward(io.BytesIO(bytes(100)), 50)

    assert source.read(50) == bytes(50)
    with pytest.raises(TooLarge):
        source.read(1)
    for size in (-1, 2**21):
        with pytest.raises(BadRequest):
            Forward(io.BytesIO(), 50).read(size)
