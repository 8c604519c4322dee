"""A real daemon with real folders, started and stopped as a person would."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import yaml

from tests.acceptance.asking import Asking, name_of, wait_for
from tests.acceptance.folders import Folders
from tests.acceptance.trees import Tree, difference, leftovers

REPOSITORY = Path(__file__).parents[2]
EVERYWHERE: list[dict[str, Any]] = []
"""Stands for: one rule that syncs everything to every entry."""

STARTS_WITHIN = 20.0
STOPS_WITHIN = 10.0
"""What the daemon promises after SIGTERM."""

TROUBLE = re.compile(r"traceback|\berror\b|\bcritical\b|\bexception\b", re.IGNORECASE)


def free_port() -> int:
    """Return a port of loopback that nobody listens on.

    One that the system gives to nobody by itself: until the daemon listens, it
    would else be free for every connection that is made meanwhile.
    """
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


UNGUARDED = {"guard": {"deletions": 0, "overwrites": 0, "rollbacks": 0}}
"""How an entry is configured where most of it may change: nothing is held."""


class Daemon(Folders, Asking):
    """One daemon on local folders, everything in a short folder of its own."""

    def __init__(
        self,
        *entries: str,
        rules: Sequence[Mapping[str, Any]] = EVERYWHERE,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        started: bool = True,
        home: Path | None = None,
        further: Mapping[str, Any] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare folders; ``settings`` are further keys by entry (ignore, ...).

        ``further`` are those of the configuration itself, ``variables`` those of
        its environment.

        With ``started`` False, entering the context leaves the start to the test.
        A ``home`` that is handed in is not removed at the end.
        """
        self._started = started
        self.further = dict(further or {})
        self.variables = dict(variables or {})
        self._kept = home is not None
        self.entries = entries or ("A", "B")
        self.home = home or Path(tempfile.mkdtemp(prefix="ad", dir="/tmp"))
        self.state = self.home / "var"
        self.log = self.home / "log"
        self.config = self.home / "syncd.yaml"
        self.rules = self.home / "rules.yaml"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.tolerated: list[str] = []
        """What may stand in lines of the log that would otherwise be trouble."""
        self._http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        for number, name in enumerate(self.entries):
            (self.home / str(number)).mkdir()
            self.folder(name)
        self.write_config(settings or {})
        self.write_rules(rules)

    # What it is told.

    def write_config(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the configuration file."""
        entries = {
            name: {
                "driver": "local_storage",
                "options": {"root": str(self.folder(name))},
                **settings.get(name, {}),
            }
            for name in self.entries
        }
        document = {
            "listen": [f"127.0.0.1:{self.port}"],
            "state": str(self.state),
            "rules": "rules.yaml",
            "entries": entries,
            **self.further,
        }
        self.config.write_text(yaml.safe_dump(document, allow_unicode=True))

    def write_rules(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Write the rules file; EVERYWHERE stands for one rule for all."""
        if rules is EVERYWHERE:
            rules = [{"match": {"path": "/"}, "sync": list(self.entries)}]
        document = {"rules": [dict(rule) for rule in rules]}
        self.rules.write_text(yaml.safe_dump(document, allow_unicode=True))

    # Its life.

    def __enter__(self) -> Self:
        try:
            return self.start() if self._started else self
        except BaseException:
            self._clean_up(telling=True)
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.stop()
                self.assert_sound()
        except BaseException:
            self._clean_up(telling=True)
            raise
        self._clean_up(telling=kind is not None)

    def start(self, *, ready: bool = True) -> Self:
        """Start the process and wait until it serves."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.home,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if ready:
            wait_for(self.is_ready, STARTS_WITHIN, self.log_end)
        return self

    def command(self) -> list[str]:
        """Return how it is started."""
        return [sys.executable, "-m", "syncd", "run", "--config", str(self.config)]

    def environment(self) -> dict[str, str]:
        """Return the environment it runs in."""
        own = {"PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"}
        return {**os.environ, **own, **self.variables}

    def is_ready(self) -> bool:
        """Tell whether it serves; fail if it has ended."""
        assert self.process is not None
        code = self.process.poll()
        assert code is None, f"it ended with {code}:\n{self.log_end()}"
        try:
            return self._http.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End it politely; fail unless it does so cleanly and in time."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"still there {STOPS_WITHIN} s after SIGTERM:\n{self.log_end()}"
            ) from None
        self.process = None
        assert code == 0, f"it ended with {code}:\n{self.log_end()}"

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """Kill it and every child at once, as a power cut would."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self.process is not None:
            self.process.wait(STOPS_WITHIN)
            self.process = None
        wait_for(lambda: not self.processes(), 30)

    def kill_child(self, entry: str) -> int:
        """Kill one entry's process and return which it was."""
        pid = self.child(entry).pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def child(self, entry: str) -> psutil.Process:
        """Return the process of an entry."""
        found = self._children(entry)
        assert found, f"no process for entry {entry}"
        return found[0]

    def _children(self, entry: str) -> list[psutil.Process]:
        found = []
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                words = process.cmdline()
                if "syncd.child" in words and entry in words:
                    found.append(process)
        return found

    def kill_supervisor(self) -> None:
        """Kill the supervising process alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOPS_WITHIN)
        self.process = None

    def signal(self, number: signal.Signals) -> None:
        """Send the supervising process a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def has_child(self, entry: str, *, but: int = 0) -> bool:
        """Tell whether an entry has a process (other than that one)."""
        return any(each.pid != but for each in self._children(entry))

    def processes(self) -> list[psutil.Process]:
        """Return every process that belongs to it, orphans included."""
        return [
            process
            for process in psutil.process_iter()
            if process.pid != os.getpid() and self._belongs(process)
        ]

    def _belongs(self, process: psutil.Process) -> bool:
        with suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return any(str(self.home) in word for word in process.cmdline())
        return False

    def command_line(
        self, *words: str, given: str | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a syncd command against it and return what came of it."""
        return subprocess.run(
            [sys.executable, "-m", "syncd", *words],
            cwd=self.home,
            env={**self.environment(), "SYNCD_URL": self.url, **variables},
            input=given,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    # What must come true.

    def arrives(
        self, entry: str, name: str, data: bytes = b"0123456789", within: float = 30
    ) -> None:
        """Wait until a file has this content on an entry."""
        wait_for(
            lambda: self.read(entry, name) == data,
            within,
            lambda: f"{name} on {entry}: {self.tree(entry)}, {self.file(name)}",
        )

    def walked(self, since: float) -> bool:
        """Tell whether every entry was walked since then and nothing is left to do."""
        return all(
            (entry.get("last_walk") or 0) > since and not entry["pending"]
            for entry in self.status()["entries"]
        )

    def converged(
        self, *entries: str, within: float = 30, metadata: bool = False
    ) -> Tree:
        """Wait until the entries hold the same and the API says so; return that."""
        chosen = entries or self.entries
        wait_for(
            lambda: not self.obstacle(chosen, metadata=metadata),
            within,
            lambda: self.obstacle(chosen, metadata=metadata),
        )
        return self.tree(chosen[0], metadata=metadata)

    def obstacle(self, entries: Iterable[str] = (), *, metadata: bool = False) -> str:
        """Return why it has not converged; empty when it has."""
        chosen = list(entries or self.entries)
        return (
            self._pending(chosen)
            or self._differing(chosen, metadata=metadata)
            or self._unfinished()
        )

    def _pending(self, entries: list[str]) -> str:
        waiting = {
            each["name"]: each["pending"]
            for each in self.status()["entries"]
            if each["name"] in entries and each["pending"]
        }
        return f"pending: {waiting}" if waiting else ""

    def _differing(self, entries: list[str], *, metadata: bool) -> str:
        first = self.tree(entries[0], metadata=metadata)
        for entry in entries[1:]:
            if told := difference(first, self.tree(entry, metadata=metadata)):
                return f"{entries[0]} and {entry} differ:\n{told}"
        known = {name_of(file) for file in self.files()}
        missing = [
            name
            for name, (kind, *_) in first.items()
            if kind == "file" and name not in known
        ]
        return f"unknown to the API: {missing[:5]}" if missing else ""

    def _unfinished(self) -> str:
        for file in self.files():
            if set(file["owners"]) != set(file["uptodate"]):
                return f"owners are not up to date: {file}"
        left = {entry: leftovers(self.folder(entry)) for entry in self.entries}
        return f"temporary files: {left}" if any(left.values()) else ""

    # What must hold when it is gone.

    def log_text(self) -> str:
        """Return everything it has written."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_end(self) -> str:
        """Return the last lines it has written."""
        return "\n".join(self.log_text().splitlines()[-60:])

    def assert_sound(self) -> None:
        """Fail on processes left behind and on complaints in the log."""
        wait_for(lambda: not self.processes(), 30, lambda: f"left: {self.processes()}")
        complaints = [
            line
            for line in self.log_text().splitlines()
            if TROUBLE.search(line) and not any(word in line for word in self.tolerated)
        ]
        assert not complaints, "\n".join(complaints)

    def _clean_up(self, *, telling: bool) -> None:
        self._http.close()
        if telling:
            sys.stdout.write(f"--- log of {self.home}\n{self.log_end()}\n")
        self.kill()
        if not self._kept:
            shutil.rmtree(self.home, ignore_errors=True)
