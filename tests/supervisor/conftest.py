"""A supervisor with real children, and what it tells."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from syncd import wire
from syncd.supervisor.supervisor import Duties, Supervisor

ROOT = Path(__file__).resolve().parents[2]


async def until(fact: Callable[[], Any], seconds: float = 30) -> float:
    """Wait until the fact holds and return how long that took."""
    begin = time.monotonic()
    while not fact():
        assert time.monotonic() - begin < seconds, "it never came true"
        await asyncio.sleep(0.005)
    return time.monotonic() - begin


@contextmanager
def turns() -> Iterator[list[object]]:
    """Give a list that grows by one with every turn of the loop."""
    selector: Any = getattr(asyncio.get_running_loop(), "_selector")  # noqa: B009
    counted: list[object] = []
    select = selector.select

    def counting(timeout: float | None = None) -> object:
        counted.append(timeout)
        return select(timeout)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selector, "select", counting)
        yield counted


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    folder = Path(tempfile.mkdtemp(prefix="s-"))
    yield folder / "run"
    shutil.rmtree(folder)


class House:
    """A supervisor, and everything it told."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.supervisor: Supervisor
        self.heard: list[tuple[str, wire.Up]] = []
        self.heed: Callable[[], None] = lambda: None
        self.lost: list[str] = []
        self.news: list[tuple[str, str]] = []
        self.kept: list[tuple[str, bool]] = []

    def make(self, *names: str, **options: Any) -> Supervisor:
        self.supervisor = Supervisor(
            self.run,
            names,
            news=lambda name, news: self.news.append((name, news["state"])),
            module="tests.supervisor.fake_child",
            **options,
        )
        return self.supervisor

    def duties(self, *names: str, stopped: AbstractSet[str] = frozenset()) -> Duties:
        return Duties(
            {name: settings(name) for name in names},
            hear=self.hear,
            hear_lost=self.lost.append,
            keep_stopped=self.keep_stopped,
            stopped=stopped,
        )

    def hear(self, name: str, message: wire.Up) -> None:
        self.heard.append((name, message))
        self.heed()

    async def keep_stopped(self, name: str, stopped: bool) -> None:
        await asyncio.sleep(0)
        self.kept.append((name, stopped))

    def state(self, name: str) -> str:
        return str(self.supervisor.life(name).state)

    def pid(self, name: str) -> int:
        pid = self.supervisor.life(name).pid
        assert pid is not None
        return pid

    async def active(self, *names: str) -> None:
        await until(lambda: all(self.state(name) == "active" for name in names))

    def heard_from(self, name: str) -> list[wire.Up]:
        return [message for sender, message in self.heard if sender == name]


@pytest.fixture
async def house(
    run: Path,
) -> AsyncIterator[Callable[..., Awaitable[House]]]:
    """Open houses; all are closed, and must leave no process and no descriptor."""
    before = children()
    async with AsyncExitStack() as doors:

        async def opened(
            *names: str, stopped: AbstractSet[str] = frozenset(), **options: Any
        ) -> House:
            new = House(run)
            await doors.enter_async_context(new.make(*names, **options))
            duties = new.duties(*names, stopped=stopped)
            await doors.enter_async_context(new.supervisor.working(duties))
            return new

        yield opened
    assert children() == before


def settings(name: str) -> wire.Settings:
    return wire.Settings(
        entry=name,
        driver="memory",
        options={"secret": "s3cr3t"},
        ignore=[],
        rescan=0.0,
        state="/nowhere",
        sockets="/nowhere",
        addresses={},
    )


def children() -> set[str]:
    """Return our child processes, zombies included."""
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}


def descriptors() -> set[str]:
    """Return our open file descriptors."""
    return {path.name for path in Path("/proc/self/fd").iterdir()}
