"""Frames between children: a length of four bytes, big-endian, and a message."""

from collections.abc import Callable
from struct import Struct

from syncd.errors import BadRequest
from syncd.wire import Asked, Given, encode

MOST = 16 << 20
"""Bytes a frame may have."""

_LENGTH = Struct(">I")


def frame(message: Asked | Given) -> bytes:
    """Return the message as a frame."""
    body = encode(message)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Puts frames together from bytes as they arrive."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in what arrived."""
        self._bytes += data

    def next(self) -> bytes | None:
        """Return the next whole frame's message; None: more must arrive.

        Raise BadRequest for a frame of a size nobody has reason to send.
        """
        if len(self._bytes) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._bytes)
        if length > MOST:
            raise BadRequest(f"a frame of {length} bytes")
        end = _LENGTH.size + length
        if len(self._bytes) < end:
            return None
        body = bytes(self._bytes[_LENGTH.size : end])
        del self._bytes[:end]
        return body


def received(frames: Frames, receive: Callable[[], bytes]) -> bytes | None:
    """Return the next message, receiving as often as need be; None at the end."""
    while (body := frames.next()) is None:
        data = receive()
        if not data:
            return None
        frames.feed(data)
    return body
