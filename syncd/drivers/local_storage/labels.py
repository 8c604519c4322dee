"""What a kept content is called: its own name, and all that is known of it.

``NAME~HHMMSS.NNNNNNNNN-LCAUSE-MTIME-DIGEST`` in a folder named after the day (UTC),
which repeats the folders of the path. What follows the tilde has a fixed form
without another tilde, so that any name can be told from it. A name too long for
that is a folder, too, and the rest the name of a file in it.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from syncd.core.file import DIGEST_SIZE
from syncd.core.keeping import DAY, Loss

_SECOND = 1_000_000_000
_MASK = (1 << 64) - 1
_LETTERS = {
    Loss.REPLACED: "r",
    Loss.DELETED: "d",
    Loss.UNMATCHED: "u",
    Loss.UNDONE: "b",
}
_LOSSES = {letter: loss for loss, letter in _LETTERS.items()}
_NONE = "0"

LONGEST = 117
"""Bytes that are put behind a name, at most."""

_CAUSE = re.compile("[0-9a-z]{1,16}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LABEL = re.compile(
    rb"(?P<name>.*)~(?P<time>\d{6})\.(?P<part>\d{9})-(?P<loss>[rdub])"
    rb"(?P<cause>[0-9a-z]{0,16})-(?P<mtime>[0-9a-f]{16})-(?P<digest>[0-9a-f]{64}|0)",
    re.DOTALL,
)


class Label(Struct, frozen=True):
    """What the name of a kept content says."""

    name: bytes
    """What it was called; empty: like the folder it lies in."""
    at_ns: int
    loss: Loss
    cause: str
    mtime: str
    """Its modification time, in the form that ``mtime`` gives."""
    digest: bytes | None


def day(at_ns: int) -> str:
    """Return the name of the folder for what is taken away at that moment."""
    return _day(at_ns // _SECOND // DAY)


def is_day(name: str) -> bool:
    """Tell whether a folder is named after a day."""
    if not _DAY.fullmatch(name):
        return False
    return _midnight(name) is not None


def is_over(name: str, now_ns: int) -> bool:
    """Tell whether nothing more will be put into the folder of that day."""
    # A day more: what has just been given its place may still be on its way there.
    yesterday = datetime.fromtimestamp(now_ns // _SECOND, UTC) - timedelta(days=1)
    return name < yesterday.strftime("%Y-%m-%d")


def mtime(mtime_ns: int) -> str:
    """Return a modification time in a form of fixed length."""
    return f"{mtime_ns & _MASK:016x}"


def written(
    at_ns: int, loss: Loss, cause: str, mtime_ns: int, digest: bytes | None
) -> bytes:
    """Return what is put behind a name."""
    second = at_ns // _SECOND % DAY
    moment = f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"
    cause = cause if _CAUSE.fullmatch(cause) else ""
    told = digest.hex() if digest and len(digest) == DIGEST_SIZE else _NONE
    return (
        f"~{moment}.{at_ns % _SECOND:09}-{_LETTERS[loss]}{cause}"
        f"-{mtime(mtime_ns)}-{told}"
    ).encode()


def read(on: str, name: bytes) -> Label | None:
    """Return what a name in the folder of a day says; None if it is none of ours."""
    found = _LABEL.fullmatch(name)
    if found is None:
        return None
    midnight, second = _midnight(on), _seconds(found["time"])
    if midnight is None or second is None:
        return None
    digest = found["digest"].decode()
    return Label(
        name=found["name"],
        at_ns=(midnight + second) * _SECOND + int(found["part"]),
        loss=_LOSSES[found["loss"].decode()],
        cause=found["cause"].decode(),
        mtime=found["mtime"].decode(),
        digest=None if digest == _NONE else bytes.fromhex(digest),
    )


@lru_cache(maxsize=16)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY, UTC).strftime("%Y-%m-%d")


@lru_cache(maxsize=1000)
def _midnight(name: str) -> int | None:
    """Return when the day begins, in seconds since 1970; None if there is no such."""
    try:
        return int(datetime.fromisoformat(f"{name}T00:00+00:00").timestamp())
    except ValueError:
        return None


def _seconds(time: bytes) -> int | None:
    """Return the seconds of a day that HHMMSS stands for; None for no time."""
    hours, minutes, seconds = int(time[:2]), int(time[2:4]), int(time[4:])
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return hours * 3600 + minutes * 60 + seconds
