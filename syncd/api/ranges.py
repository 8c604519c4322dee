"""Parts of a content and its tag, as RFC 9110 has them."""

import re
from urllib.parse import quote

_RANGE = re.compile(
    r"bytes=\s*(?:(\d{1,19})-(\d{1,19})?|-(\d{1,19}))\s*", re.IGNORECASE
)
_TAG = re.compile(r'(?:W/)?("[^"]*")')
_AWKWARD = re.compile(r"[^ !#$&+.\w^`|~()@,;=-]", re.ASCII)


class Unsatisfiable(ValueError):
    """The content has no such part."""


def part(said: str, size: int) -> tuple[int, int] | None:
    """Return start and length of the asked part; None when all is to be sent.

    All is sent for what is not a range of bytes, and for several at once.
    Raise Unsatisfiable for a range that has no byte of the content.
    """
    found = _RANGE.fullmatch(said)
    if found is None:
        return None
    first, last, suffix = found.groups()
    if first is None:
        length = min(int(suffix), size)
        start, end = size - length, size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise Unsatisfiable(said)
    return start, end - start


def is_known(tag: str, said: str) -> bool:
    """Tell whether If-None-Match names the tag."""
    return said.strip() == "*" or tag in _TAG.findall(said)


def attachment(name: str) -> str:
    """Return the Content-Disposition of a file, for clients old (ASCII) and new."""
    plain = _AWKWARD.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
