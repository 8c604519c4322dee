"""What kind of content begins like this: libmagic's word on it."""

import threading

try:
    import magic
except ImportError:  # the system has no libmagic; this one brings its own
    import magic
    import pylibmagic  # noqa: F401 - importing it is what makes it found

ENOUGH = 64 << 10
"""So many bytes of the beginning are looked at."""

UNKNOWN = "application/octet-stream"

_of_thread = threading.local()


def mime(beginning: bytes) -> str:
    """Return the MIME type of a content by its first ENOUGH bytes."""
    if not hasattr(_of_thread, "magic"):
        _of_thread.magic = magic.Magic(mime=True)
    try:
        return str(_of_thread.magic.from_buffer(beginning[:ENOUGH]))
    except magic.MagicException:
        return UNKNOWN
