import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import StorageError
from syncd.vaults.coding import Coder
from syncd.vaults.keys import Keys, new_identity

KEYS = Keys(new_identity()[0])
CODERS = [
    Coder(),
    Coder(compress=True),
    Coder(keys=KEYS),
    Coder(compress=True, keys=KEYS),
]
CODED = CODERS[1:]


def whole(coder: Coder, stored: bytes, name: str) -> bytes:
    """Return what streams out of it."""
    parts = []
    with coder.decode_stream(io.BytesIO(stored), name) as source:
        while chunk := source.read(1000):
            parts.append(chunk)
    return b"".join(parts)


@pytest.mark.parametrize("coder", CODERS, ids=lambda coder: coder.suffix)
@given(content=st.binary(max_size=5000))
def test_what_goes_in_comes_out(coder, content):
    name = f"x.tar{coder.suffix}"
    sink = io.BytesIO()
    coder.encode_stream(io.BytesIO(content), sink)

    assert coder.decode(coder.encode(content), name) == content
    assert coder.decode(sink.getvalue(), name) == content
    assert whole(coder, sink.getvalue(), name) == content
    assert whole(coder, coder.encode(content), name) == content


@pytest.mark.parametrize("coder", CODERS, ids=lambda coder: coder.suffix)
def test_large_contents_flow(coder):
    content = bytes(range(256)) * 20_000

    assert whole(coder, coder.encode(content), f"x{coder.suffix}") == content


@pytest.mark.parametrize("coder", CODED, ids=lambda coder: coder.suffix)
@pytest.mark.parametrize("cut", [1, 2, 17, 100])
def test_what_is_cut_short_is_refused(coder, cut):
    stored = coder.encode(b"some content " * 1000)[:-cut]

    with pytest.raises(StorageError):
        coder.decode(stored, f"x{coder.suffix}")
    with pytest.raises(StorageError):
        whole(coder, stored, f"x{coder.suffix}")


@pytest.mark.parametrize("coder", CODED, ids=lambda coder: coder.suffix)
def test_who_stops_reading_leaves_nothing_behind(coder):
    stored = coder.encode(bytes(5_000_000))

    with coder.decode_stream(io.BytesIO(stored), f"x{coder.suffix}") as source:
        assert source.read(10) == bytes(10)


@pytest.mark.parametrize("coder", CODERS, ids=lambda coder: coder.suffix)
def test_what_reading_raises_is_raised(coder):
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise StorageError("the source broke")

    with pytest.raises(StorageError, match="the source broke"):
        coder.encode_stream(Broken(), io.BytesIO())


def test_without_the_key_nothing_is_read():
    stored = Coder(keys=KEYS).encode(b"secret")

    for coder in (Coder(), Coder(keys=Keys(new_identity()[0]))):
        with pytest.raises(StorageError):
            coder.decode(stored, "x.age")
        with pytest.raises(StorageError):
            whole(coder, stored, "x.age")
