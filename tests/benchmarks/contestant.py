"""What every tool that is measured has in common."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

from tests.benchmarks.usage import Usage


class Durable(StrEnum):
    """Whether what is reported as copied survives a power cut, and how."""

    NO = "no"
    BY_FILE = "yes, file by file"
    BY_BATCH = "yes, in batches"


class Taking(Protocol):
    """Whatever takes its turn: one tool with one set of options."""

    name: str
    durable: Durable
    runs_at_most: int
    """A tool that takes minutes is not asked five times."""

    def is_here(self) -> bool:
        """Tell whether it is installed."""
        ...


class Contestant(Taking, Protocol):
    """One that copies."""

    def copy(self, source: Path, target: Path, work: Path) -> Usage:
        """Copy all of the source into an empty folder; return what that took.

        The clock stops when the target has everything; after that, fail unless
        every byte is there. ``work`` is an empty folder for what the tool keeps.
        """
        ...


Tool = TypeVar("Tool", bound=Taking)


def program(name: str) -> str | None:
    """Return where a program is: beside this Python, or on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def turns(tools: Sequence[Tool], runs: int) -> Iterator[Tool]:
    """Give the tools that are installed by turns, another one first each time."""
    there = [tool for tool in tools if tool.is_here()]
    for run in range(runs):
        first = run % max(len(there), 1)
        for tool in (*there[first:], *there[:first]):
            if run < tool.runs_at_most:
                yield tool
