"""What is told of addresses is true, whatever is sent to them."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation.modes import GenerationMode

from syncd.api import cyborg
from tests.api.cyborg.conftest import placed

PASSED_OVER = ("positive_data_acceptance", "negative_data_rejection")
"""Names that mean nothing are passed over, and what goes together no schema tells."""

PAGE = "/api/login"
"""A page for people, whose refusals are pages too."""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server in a thread of its own, so that a client may block."""
    ready, stop = threading.Event(), asyncio.Event()
    told: list[Any] = []

    async def serve() -> None:
        async with placed(tmp_path) as place:
            told.extend([asyncio.get_running_loop(), str(place.http.base_url)])
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(60)
    loop, where = told
    yield where
    loop.call_soon_threadsafe(stop.set)
    thread.join()


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.timeout(300)
def test_schemathesis_finds_nothing(url, mode):
    load_all_checks()
    names = [name for name in CHECKS.get_all_names() if name not in PASSED_OVER]
    checks = [check for name in names for check in CHECKS.get_by_names([name])]
    ours = {where for where, _ in cyborg.routes()} - {PAGE}
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    tried = 0
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        if operation.path not in ours:
            continue

        @settings(
            max_examples=8, deadline=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def is_true(case):
            nonlocal tried
            tried += 1
            case.call_and_validate(base_url=url, checks=checks, timeout=60)

        with suppress(Unsatisfiable):  # Nothing can be wrong where nothing is given.
            is_true()
    assert tried > 100
