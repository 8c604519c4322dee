"""Keeps one command together with all that it starts, and ends all of it.

Run as a program, without syncd's own modules, between a worker and a command: what
the command leaves behind, even what calls itself a daemon, becomes a child of this
process, and no other's. Nothing of it outlives this process or the worker: when the
worker is gone, however it went, its end of the pipe is closed, and all is killed.

It is told ``T`` (end all, politely) and ``K`` (kill all) through one pipe, and tells
what came of the command, as JSON, through another:
``{"code": 3, "left": 2, "writing": ["1234 cat"]}`` or ``{"error": "..."}``.
"""

# ruff: noqa: PTH115, PTH123, PTH208 - pathlib takes longer to load than all this.

import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from ctypes import CDLL

_PR_SET_CHILD_SUBREAPER = 36
_POLITE = 2.0
"""Seconds that what a command leaves behind has to end by itself."""
_FORCE = 10.0
"""Seconds after which what cannot even be killed is given up."""
_AGAIN = 0.02
_MOST = 10


def main(words: list[str]) -> None:
    """Run a command; the words are pipes, a folder, and the command's own."""
    control, status = int(words[0]), int(words[1])
    folder, command = words[2], words[3:]
    if CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("the kernel lets no process adopt others")
    woken, wake = os.pipe()
    for end in (control, status, woken, wake):
        os.set_inheritable(end, False)
        os.set_blocking(end, end == status)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    told = _Keeper(control, woken, folder).keep(command)
    with suppress(BrokenPipeError):
        os.write(status, json.dumps(told).encode())


class _Keeper:
    def __init__(self, control: int, woken: int, folder: str) -> None:
        self._control = control
        self._woken = woken
        self._folder = folder
        self._codes: dict[int, int] = {}
        self._given_up = False

    def keep(self, command: list[str]) -> dict[str, object]:
        """Run the command to its end, and end what it leaves behind."""
        defaults = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE]
        try:
            leader = os.posix_spawnp(
                command[0], command, _environment(), setpgroup=0, setsigdef=defaults
            )
        except (OSError, ValueError) as error:
            return {"error": getattr(error, "strerror", None) or str(error)}
        while leader not in self._codes and not self._given_up:
            self._wait(None)
        left = _descendants()
        writing = _writing(left, self._folder)
        self._end(left)
        code = self._codes.get(leader, -signal.SIGKILL)
        return {"code": code, "left": len(left), "writing": writing[:_MOST]}

    def _end(self, left: list[int]) -> None:
        """End what is left, first politely; return when nothing is."""
        if left:
            _signal(signal.SIGTERM, left)
        until = time.monotonic() + _POLITE
        while time.monotonic() < until and _descendants():
            self._wait(_AGAIN)
        self._kill()

    def _wait(self, seconds: float | None) -> None:
        """Wait for a word or an exit, heed the word and reap what has ended."""
        watched = [self._woken, *([self._control] if self._control >= 0 else [])]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._woken in ready:
            with suppress(BlockingIOError):
                os.read(self._woken, 4096)
        if self._control in ready:
            self._heed(os.read(self._control, 1))
        self._reap()

    def _heed(self, word: bytes) -> None:
        if word == b"T":
            _signal(signal.SIGTERM, _descendants())
            return
        if not word:  # nobody is there any more
            os.close(self._control)
            self._control = -1
        self._kill()

    def _kill(self) -> None:
        until = time.monotonic() + _FORCE
        while (left := _descendants()) and time.monotonic() < until:
            # Stopped first: so nothing is born while the list is gone through.
            _signal(signal.SIGSTOP, left)
            _signal(signal.SIGKILL, left)
            select.select([self._woken], [], [], _AGAIN)
            self._reap()
        self._given_up = bool(left)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                self._codes[pid] = os.waitstatus_to_exitcode(status)


def _environment() -> dict[bytes, bytes]:
    """Return what we were started with: Python may have added to it since."""
    with open("/proc/self/environ", "rb") as file:
        said = file.read().split(b"\0")
    return {
        name: value for name, _, value in (one.partition(b"=") for one in said if one)
    }


def _descendants() -> list[int]:
    """Return all processes below this one that have not ended."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            # The name of the program is in parentheses and may hold anything.
            state, parent = file.read().rpartition(b")")[2].split()[:2]
            if state not in (b"Z", b"X"):
                children.setdefault(int(parent), []).append(int(name))
    found: list[int] = []
    todo = [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _writing(left: list[int], folder: str) -> list[str]:
    """Return those that have files below the folder open for writing, for people."""
    if not folder:
        return []
    return [f"{pid} {_name(pid)}" for pid in left if _writes(pid, folder)]


def _writes(pid: int, folder: str) -> bool:
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                place = f"/proc/{pid}/fd/{name}"
                inside = os.readlink(place).startswith(f"{folder}/")
                if inside and os.lstat(place).st_mode & 0o200:
                    return True
    return False


def _name(pid: int) -> str:
    with suppress(OSError), open(f"/proc/{pid}/comm", errors="replace") as file:
        return file.read().strip()
    return ""


def _signal(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


if __name__ == "__main__":
    main(sys.argv[1:])
