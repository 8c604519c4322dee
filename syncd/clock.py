"""The only place that asks the system what time it is, and since when it runs."""

import os
import time
from datetime import UTC, datetime, tzinfo
from pathlib import Path

_LOCAL = Path("/etc/localtime")
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


def zone() -> tzinfo:
    """Return the time zone of this machine, summer time and all; UTC if none is set."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only schedules and vaults ask

    try:
        if name := os.environ.get("TZ", "").lstrip(":"):
            return ZoneInfo(name)
        with _LOCAL.open("rb") as rules:
            return ZoneInfo.from_file(rules, key="local")
    except (KeyError, OSError, ValueError):
        return UTC
