"""A daemon whose clock jumps: all its processes ask a file how wrong they are."""

from typing import Any

from tests.acceptance.daemon import Daemon

_SITE = """
from datetime import timedelta
from pathlib import Path

wrong = Path(__file__).parent.parent / "clock"
from syncd import clock

def seconds():
    return float(wrong.read_text())

now, timestamp, nanoseconds = clock.now, clock.timestamp, clock.nanoseconds
clock.now = lambda: now() + timedelta(seconds=seconds())
clock.timestamp = lambda: timestamp() + seconds()
clock.nanoseconds = lambda: nanoseconds() + int(seconds() * 1e9)
"""


class JumpingDaemon(Daemon):
    """A daemon that can be told another time."""

    def __init__(self, *entries: str, **others: Any) -> None:
        super().__init__(*entries, **others)
        site = self.home / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(_SITE)
        self.jump(0)

    def environment(self) -> dict[str, str]:
        """Return the environment it runs in."""
        known = super().environment()
        path = f"{known['PYTHONPATH']}:{self.home / 'site'}"
        return {**known, "PYTHONPATH": path}

    def jump(self, seconds: float) -> None:
        """Have its clock be wrong by so many seconds from now on."""
        fresh = self.home / "clock.new"
        fresh.write_text(str(seconds))
        fresh.replace(self._wrong)

    @property
    def _wrong(self) -> Any:
        return self.home / "clock"
