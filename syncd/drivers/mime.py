"""What kind of content begins like this: libmagic's word on it."""

import threading
from importlib import import_module
from types import ModuleType

ENOUGH = 64 << 10
"""So many bytes of the beginning are looked at."""

UNKNOWN = "application/octet-stream"

_of_thread = threading.local()


def mime(beginning: bytes) -> str:
    """Return the MIME type of a content by its first ENOUGH bytes."""
    if not hasattr(_of_thread, "magic"):
        _of_thread.magic = _loaded().Magic(mime=True)
    try:
        return str(_of_thread.magic.from_buffer(beginning[:ENOUGH]))
    except _loaded().MagicException:
        return UNKNOWN


def _loaded() -> ModuleType:
    """Return python-magic, only once it is asked for: few storages ever need it."""
    try:
        return import_module("magic")
    except ImportError:
        # The system has no libmagic: this one brings its own, found from now on.
        import_module("pylibmagic")
        return import_module("magic")
