"""Servers that several tests use, and that outlive each of them.

They are nobody's children here: there are tests that count all children of this
process, and others whose code ends those it does not know. A keeper of their own ends
them, at the latest when this process is gone, however that came.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

KEEPER = Path(__file__).with_name("keeper.py")
PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37
GONE_WITHIN = 60.0


class Lent:
    """One server that runs, by its process."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        theirs, self._life = os.pipe()
        try:
            with _orphans_go_elsewhere():
                said = subprocess.run(
                    [sys.executable, "-I", "-S", str(KEEPER), str(log), *command],
                    stdin=theirs,
                    stdout=subprocess.PIPE,
                    check=True,
                )
        except BaseException:
            os.close(self._life)
            raise
        finally:
            os.close(theirs)
        self.pid = int(said.stdout)
        self._process = -1
        with suppress(ProcessLookupError):
            self._process = os.pidfd_open(self.pid)

    @property
    def runs(self) -> bool:
        """Tell whether it has not ended."""
        return self._process >= 0 and not self._ended(0)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens if it has ended."""
        if self._process >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)

    def kill(self) -> None:
        """End it as a power cut would, and let go of it; to be called once."""
        os.close(self._life)
        self.signal(signal.SIGKILL)
        if self._process >= 0:
            assert self._ended(GONE_WITHIN), f"process {self.pid} does not end"
            os.close(self._process)
            self._process = -1

    def _ended(self, seconds: float) -> bool:
        return bool(select.select([self._process], [], [], seconds)[0])


@contextmanager
def _orphans_go_elsewhere() -> Iterator[None]:
    """Have nobody become our child whose parent ends, as in the supervisor's tests."""
    prctl, ours = ctypes.CDLL(None).prctl, ctypes.c_int()
    prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(ours), 0, 0, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, ours.value, 0, 0, 0)
