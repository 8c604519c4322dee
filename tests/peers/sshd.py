"""Machines that are reached by SSH: an sshd each, with keys and a home of its own."""

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.acceptance.daemon import free_port
from tests.peers.lent import Lent

SSHD = "/usr/sbin/sshd"
STARTS_WITHIN = 60.0

_SETTINGS = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {home}/host_key
AuthorizedKeysFile {home}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowAgentForwarding yes
SetEnv HOME={home} PATH={path}
"""


def new_key(file: Path) -> str:
    """Make a key without a passphrase; return its private half."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True
    )
    return file.read_text()


class Machine:
    """One machine; its sshd listens on a free port of loopback."""

    def __init__(self, home: Path, *, path: str = os.defpath) -> None:
        home.mkdir()
        self.home = home
        self.port = free_port()
        self._path = path
        self._lent: Lent | None = None
        self.new_host_key()

    def new_host_key(self) -> None:
        """Give it another key, as after it was installed anew."""
        file = self.home / "host_key"
        file.unlink(missing_ok=True)
        new_key(file)
        kind, key = (self.home / "host_key.pub").read_text().split()[:2]
        self.known = f"[127.0.0.1]:{self.port} {kind} {key}"
        """Its line for known_hosts."""

    def let_in(self, public: str) -> None:
        """Take a key for all accounts."""
        with (self.home / "authorized_keys").open("a") as file:
            file.write(public)

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        assert Path(SSHD).exists(), "make test installs openssh-server"
        Path("/run/sshd").mkdir(exist_ok=True)
        settings = self.home / "sshd_config"
        settings.write_text(
            _SETTINGS.format(port=self.port, home=self.home, path=self._path)
        )
        command = [SSHD, "-D", "-e", "-f", str(settings)]
        self._lent = Lent(command, self.home / "log")
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._listens():
            assert self._lent.runs, (self.home / "log").read_text()
            assert time.monotonic() < deadline, "sshd does not listen"
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End it."""
        if self._lent is not None:
            self._lent.kill()
            self._lent = None

    def log(self) -> str:
        """Return what its sshd has said."""
        return (self.home / "log").read_text()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


def tools(folder: Path, names: Sequence[str]) -> str:
    """Return a PATH where there are these programs only."""
    folder.mkdir()
    for name in names:
        found = next(
            place
            for one in ("/usr/bin", "/bin")
            if (place := Path(one) / name).exists()
        )
        (folder / name).symlink_to(found)
    return str(folder)
