"""The only place that asks the system what time it is, and since when it runs."""

import time
from datetime import UTC, datetime
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def timestamp() -> float:
    """Return the present moment in seconds since 1970 (UTC)."""
    return time.time()


def nanoseconds() -> int:
    """Return the present moment in nanoseconds since 1970 (UTC)."""
    return time.time_ns()


def monotonic() -> float:
    """Return seconds that only ever grow; good for durations, not for dates."""
    return time.monotonic()


def boot() -> str:
    """Return the id of the kernel's present run; empty where nobody can tell."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
