"""What a path is called: text for people, bytes for a disk, an id for the API.

Inside syncd a path is text: relative to the entry's root, parts joined by
slashes, never empty, without ``.`` or ``..``. Names on a disk are bytes and may
not be UTF-8. Such a byte 0xHH stands in the text as U+10FEHH, a private-use
character; the bytes of a real character of that small range are stood in for in
the same way. So the text is valid Unicode, every name has exactly one text, and
a folder's text is the beginning of the text of what lies in it.
"""

import re
from hashlib import sha1
from uuid import UUID

from syncd.errors import BadRequest

NAMESPACE = UUID("bcd336f2-d023-4856-bc92-e79dd24b64d7")
"""The namespace of file ids, as Onitu chose it."""

RESERVED = ".syncd-"
"""Names that begin so are syncd's own: temporary files and the marker of a root."""

_NAMESPACE_BYTES = NAMESPACE.bytes
_FIRST = 0x10FE80
_STAND_IN = re.compile("[\U0010fe80-\U0010feff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def from_bytes(name: bytes) -> str:
    """Return the text for a path as a disk has it."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return _escaped(name)
    return text if text.isascii() or not _STAND_IN.search(text) else _escaped(name)


def to_bytes(path: str) -> bytes:
    """Return the path as a disk has it; the inverse of from_bytes."""
    if path.isascii() or not _STAND_IN.search(path):
        return path.encode()
    return _STAND_IN.sub(lambda m: chr(ord(m[0]) - _FIRST + 0xDC80), path).encode(
        errors="surrogateescape"
    )


def is_plain(path: str) -> bool:
    """Tell whether the path is just its UTF-8 name, with no byte stood in for."""
    return path.isascii() or not _STAND_IN.search(path)


def readable(path: str) -> str:
    r"""Return the path for people: bytes that are not UTF-8 shown as \xHH."""
    if is_plain(path):
        return path
    return _STAND_IN.sub(lambda m: f"\\x{ord(m[0]) - _FIRST + 0x80:02x}", path)


def fid(path: str) -> str:
    """Return the file id of a path: its UUIDv5 in Onitu's namespace."""
    text = fid_bytes(path).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def fid_bytes(path: str) -> bytes:
    """Return the file id as the 16 bytes of its UUID (RFC 9562, version 5)."""
    named = sha1(_NAMESPACE_BYTES + path.encode(), usedforsecurity=False)
    digest = bytearray(named.digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return bytes(digest)


def checked(path: str) -> str:
    """Return the path without slashes around it.

    Raise BadRequest for one that could leave a root or names nothing.
    """
    clean = path.strip("/")
    parts = clean.split("/")
    if not clean or any(part in ("", ".", "..") for part in parts) or "\0" in clean:
        raise BadRequest(f"not a path inside an entry: {path!r}")
    if _SURROGATE.search(clean):
        raise BadRequest(f"not a path that can be written as Unicode: {path!r}")
    return clean


def parent(path: str) -> str:
    """Return the folder a path lies in; the root is the empty text."""
    return path.rpartition("/")[0]


def name(path: str) -> str:
    """Return the last part of a path."""
    return path.rpartition("/")[2]


def is_reserved(path: str) -> bool:
    """Tell whether any part of the path is syncd's own and never synchronised."""
    return RESERVED in path and any(
        part.startswith(RESERVED) for part in path.split("/")
    )


def _escaped(name: bytes) -> str:
    # One pass over what decodes, with U+DC80.. for each byte that does not ...
    text = name.decode(errors="surrogateescape")
    # ... a real character of our range is spelled by its bytes ...
    text = _STAND_IN.sub(
        lambda m: "".join(chr(0xDC00 + byte) for byte in m[0].encode()), text
    )
    # ... and lone surrogates, which no encoding takes, become our own stand-ins.
    return _SURROGATE.sub(lambda m: chr(ord(m[0]) - 0xDC80 + _FIRST), text)
