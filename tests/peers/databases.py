"""Real MariaDB and PostgreSQL from Debian, on free ports, in folders of their own."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.acceptance.daemon import free_port
from tests.peers.lent import Lent

STARTS_WITHIN = 60.0
PASSWORD = "hush: it's $(id) secret"


class Database:
    """A server of databases; its administrator has a PASSWORD."""

    user: str

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="db-"))
        self.port = free_port()
        self._lent: Lent | None = None

    def __enter__(self) -> Self:
        self._lent = Lent(self._prepared(), self.home / "log")
        deadline = time.monotonic() + STARTS_WITHIN
        while self._ask("SELECT 1", check=False).returncode:
            assert self._lent.runs, (self.home / "log").read_text()
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._lent is not None:
            self._lent.kill()
        shutil.rmtree(self.home)

    def ask(self, text: str, database: str = "") -> str:
        """Return what it answers."""
        return self._ask(text, database).stdout.strip()

    def _ask(
        self, text: str, database: str = "", *, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        raise NotImplementedError

    def _prepared(self) -> Sequence[str]:
        """Make its folder, and return the words that start it."""
        raise NotImplementedError


class MariaDB(Database):
    """A MariaDB."""

    user = "root"

    def _prepared(self) -> Sequence[str]:
        assert shutil.which("mariadbd"), "make test installs mariadb-server"
        data = self.home / "data"
        subprocess.run(
            [
                *("mysql_install_db", "--user=root", f"--datadir={data}"),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
            ],
            check=True,
            capture_output=True,
        )
        first = self.home / "first.sql"
        word = PASSWORD.replace("'", "''")
        first.write_text(
            f"ALTER USER root@localhost IDENTIFIED BY '{word}';\n"
            f"CREATE USER root@'127.0.0.1' IDENTIFIED BY '{word}';\n"
            "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        return [
            *("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}"),
            *(f"--port={self.port}", "--bind-address=127.0.0.1"),
            *(f"--socket={self.home}/socket", f"--pid-file={self.home}/pid"),
            *(f"--init-file={first}", "--innodb-buffer-pool-size=16M"),
        ]

    def _ask(
        self, text: str, database: str = "", *, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                *("mariadb", "--no-defaults", "-uroot", "-h127.0.0.1", "-N"),
                *(f"-P{self.port}", "-e", text, *([database] if database else [])),
            ],
            env={"PATH": "/usr/bin:/bin", "MYSQL_PWD": PASSWORD},
            check=check,
            capture_output=True,
            text=True,
        )


class PostgreSQL(Database):
    """A PostgreSQL, which does not run as root."""

    user = "postgres"

    def _prepared(self) -> Sequence[str]:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        assert programs, "make test installs postgresql"
        shutil.chown(self.home, "postgres", "postgres")
        (self.home / "password").write_text(PASSWORD)
        shutil.chown(self.home / "password", "postgres")
        as_postgres = [
            *("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        ]
        data = self.home / "data"
        subprocess.run(
            [
                *as_postgres,
                *(f"{programs[-1]}/initdb", "-D", str(data), "-U", "postgres"),
                *("-A", "scram-sha-256", f"--pwfile={self.home}/password", "-N"),
                *("-E", "UTF8", "--locale=C"),
            ],
            check=True,
            capture_output=True,
        )
        return [
            *as_postgres,
            *(f"{programs[-1]}/postgres", "-D", str(data), "-p", str(self.port)),
            *("-h", "127.0.0.1", "-k", str(self.home), "-c", "fsync=off"),
        ]

    def _ask(
        self, text: str, database: str = "", *, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                *("psql", "-h127.0.0.1", f"-p{self.port}", "-Upostgres", "-Atqc", text),
                database or "postgres",
            ],
            env={"PATH": "/usr/bin:/bin", "PGPASSWORD": PASSWORD},
            check=check,
            capture_output=True,
            text=True,
        )
