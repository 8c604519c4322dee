import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.child.frames import MOST, Frames, frame, received
from syncd.errors import BadRequest
from syncd.wire import Chunk, decode_given


@given(st.lists(st.binary()), st.integers(1, 7))
def test_frames_come_out_as_they_went_in_however_they_arrive(contents, step):
    data = b"".join(frame(Chunk(content)) for content in contents)
    pieces = iter([data[i : i + step] for i in range(0, len(data), step)])
    frames, arrived = Frames(), []

    while (body := received(frames, lambda: next(pieces, b""))) is not None:
        arrived.append(decode_given(body))

    assert arrived == [Chunk(content) for content in contents]


def test_a_frame_beyond_all_measure_is_refused():
    frames = Frames()
    frames.feed((MOST + 1).to_bytes(4, "big"))

    with pytest.raises(BadRequest):
        frames.next()
