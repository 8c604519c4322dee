"""Daemons to lend."""

from collections.abc import Iterator

import pytest

from tests.acceptance.daemon import UNGUARDED, Daemon


@pytest.fixture
def pair() -> Iterator[Daemon]:
    """A running daemon with empty entries A and B that hold everything."""
    with Daemon("A", "B") as daemon:
        yield daemon


@pytest.fixture
def wild() -> Iterator[Daemon]:
    """The same without guards: whatever changes is meant."""
    with Daemon("A", "B", settings=dict.fromkeys("AB", UNGUARDED)) as daemon:
        yield daemon


@pytest.fixture
def three() -> Iterator[Daemon]:
    """A running daemon with empty entries A, B and C that hold everything."""
    with Daemon("A", "B", "C") as daemon:
        yield daemon
