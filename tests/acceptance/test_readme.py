"""The README's tour, word by word, and the greeting that a person sees."""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.daemon import REPOSITORY, Daemon

NOT_FOR_TESTS = ("make run", ". .venv/bin/activate")
A_PERSON_IS_SLOW = "trap 'sleep 0.5' DEBUG\n"
"""Between two commands a moment passes, enough for a file to arrive."""


@pytest.fixture
def fresh() -> Iterator[Daemon]:
    """A daemon on copies of config/ and example/, as after a clone; not started."""
    with Daemon("A", "B", started=False) as daemon:
        for name in ("config", "example"):
            shutil.copytree(REPOSITORY / name, daemon.home / name)
        daemon.config = daemon.home / "config" / "syncd.yaml"
        text = daemon.config.read_text()
        daemon.config.write_text(text.replace(":3862", f":{daemon.port}"))
        yield daemon


def test_the_tour(fresh: Daemon):
    """Every command of the tour works, and shows what the text around it says."""
    fresh.start()

    told = _typed(fresh, _tour())

    assert "hello.txt\n" in told
    assert told.index("\nhello\n") < told.index("\nagain\n")
    assert told.rindex("\nagain\n") < told.rindex("\nhello\n")  # undone
    assert re.search(r"backup +successful +\d{8}T\d{6}", told)
    assert '"filename":"hello.txt"' in told.replace(" ", "")
    fresh.converged()


def test_the_greeting(fresh: Daemon):
    """On a terminal, `syncd run` says what it serves and what to try."""
    mine, its = pty.openpty()
    process = subprocess.Popen(
        fresh.command(),
        cwd=fresh.home,
        env={**fresh.environment(), "COLUMNS": "200"},
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    told = ""
    while "Ctrl-C ends it" not in told:
        told += os.read(mine, 4096).decode()
    process.send_signal(signal.SIGINT)

    assert "example/A" in told
    assert f"curl http://127.0.0.1:{fresh.port}/api/v1.0/files" in told
    assert process.wait(10) == 0
    os.close(mine)


def _tour() -> str:
    """Return what the README lets people type, as one script."""
    text = (REPOSITORY / "README.rst").read_text()
    tour = re.split(r"^The tour.*\n-+\n", text, flags=re.MULTILINE)[1]
    tour = re.split(r"^\S.*\n-+\n", tour, flags=re.MULTILINE)[0]
    blocks = re.findall(r"::\n\n((?:   .*\n|\n)+)", tour)
    lines = [line[3:] for block in blocks for line in block.splitlines()]
    return "\n".join(line for line in lines if line not in NOT_FOR_TESTS)


def _typed(daemon: Daemon, script: str) -> str:
    """Return what a terminal shows when the script is typed."""
    for ours, elsewhere in (
        ("127.0.0.1:3862", f"127.0.0.1:{daemon.port}"),
        ("/tmp/", f"{daemon.home}/"),
    ):
        script = script.replace(ours, elsewhere)
    beside_python = str(Path(sys.executable).parent)
    typed = subprocess.run(
        ["bash", "-e", "-c", A_PERSON_IS_SLOW + script],
        cwd=daemon.home,
        env={
            **daemon.environment(),
            "SYNCD_URL": daemon.url,
            "PATH": f"{beside_python}:{os.environ['PATH']}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert typed.returncode == 0, typed.stdout
    return typed.stdout
