"""What no test may leave behind: tasks, threads and processes."""

import asyncio
import gc
import inspect
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import psutil
import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("syncd", deadline=None)
settings.load_profile("syncd")


def pytest_collection_finish() -> None:
    """Search for garbage again: a child's modules end that until all are loaded."""
    gc.enable()


GRACE = 2.0
"""Seconds for what is ending to end."""


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that leaves threads, processes or (an async one) tasks behind."""
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("no_tasks_left")
    before = {*_threads(), *_processes()}
    yield
    left = _gone_soon(lambda: [*_threads(), *_processes()], before)
    assert not left, f"left behind: {left}"


@pytest.fixture
async def no_tasks_left() -> AsyncIterator[None]:
    """Fail the test that leaves tasks running on its loop."""
    yield
    ours = asyncio.current_task()
    deadline = time.monotonic() + GRACE
    while left := [task for task in asyncio.all_tasks() if task is not ours]:
        if time.monotonic() > deadline:
            raise AssertionError(f"left running: {left}")
        await asyncio.sleep(0.01)


def _threads() -> list[str]:
    """Return the threads that would keep the interpreter alive.

    The threads of an event loop's own executor end with the loop, after us.
    """
    return [
        f"thread {thread.name} ({thread.ident})"
        for thread in threading.enumerate()
        if not thread.daemon and not thread.name.startswith("asyncio_")
    ]


def _processes() -> list[str]:
    children = psutil.Process(os.getpid()).children()
    return [f"process {child.pid} ({_command(child)})" for child in children]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) or "already dead, nobody waited for it"
    except psutil.Error:
        return "gone"


def _gone_soon(look: Callable[[], list[str]], before: Iterable[Any]) -> list[str]:
    deadline = time.monotonic() + GRACE
    while left := [one for one in look() if one not in before]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.01)
    return []
