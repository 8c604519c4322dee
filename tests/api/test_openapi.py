"""The description is sound, tells of everything, and is true."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import jsonschema
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import validate
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation.modes import GenerationMode

from syncd.api import cyborg, daemon, openapi, optools
from syncd.api.server import Limits, Server, all_routes
from tests.api.daemon.memory import MemoryBackups
from tests.api.fakes import House

ROUTES = all_routes()


@pytest.fixture
def document(house):
    return openapi.described(ROUTES, house.rooms)


def test_it_is_sound(document):
    validate(document)


@pytest.mark.parametrize(("where", "kind"), ROUTES)
def test_every_address_is_described(document, where, kind):
    told = document["paths"][where]

    assert {*told} - {"parameters"} == {method.lower() for method in kind.operations}
    for method in kind.operations:
        operation = told[method.lower()]
        assert re.fullmatch(r"[A-Z].*\.", operation["summary"])
        told_of = operation["responses"].keys()
        assert {"400", "403", "429", "500"} <= told_of
        assert {"200", "201", "202", "204", "302"} & told_of
    assert [one["name"] for one in told.get("parameters", [])] == re.findall(
        r"{(\w+)}", where
    )


def test_nothing_else_is_described(document):
    assert [*document["paths"]] == [where for where, _ in ROUTES]


def test_every_operation_has_its_own_name(document):
    names = [
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]
    assert len(set(names)) == len(names)


def test_entries_and_rules_are_those_of_the_house(document):
    schemas = document["components"]["schemas"]

    assert schemas["EntryName"]["enum"] == ["A", "B", "Žofie ☂"]
    assert schemas["Rules"]["required"] == ["rules"]


def test_definitions_of_rules_become_components(house):
    schema = {"$ref": "#/$defs/X", "$defs": {"X": {"type": "object"}}}
    rooms = msgspec.structs.replace(house.rooms, rules_schema=lambda: schema)

    document = openapi.described(ROUTES, rooms)

    assert document["components"]["schemas"]["X"] == {"type": "object"}
    assert document["components"]["schemas"]["Rules"] == {
        "$ref": "#/components/schemas/X"
    }
    validate(document)
    assert "$defs" in schema


def test_a_problem_is_what_is_answered():
    jsonschema.validate({"status": "error", "reason": "why"}, openapi.PROBLEM)


@pytest.fixture
def url() -> Iterator[str]:
    """A server in a thread of its own, so that a client may block."""
    house = House()
    for name in ("toto", "empty"):
        house.files.add(name, name.encode())
    started, stop = threading.Event(), asyncio.Event()
    told: list[Any] = []

    async def serve() -> None:
        limits = Limits(rate=1e6, burst=1e6, grace=1)
        rooms = msgspec.structs.replace(
            house.rooms, backups=MemoryBackups(), console=MemoryBackups()
        )
        async with Server(rooms, [("127.0.0.1", 0)], limits=limits) as server:
            told.extend([asyncio.get_running_loop(), server.addresses[0][1]])
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(10)
    loop, port = told
    yield f"http://127.0.0.1:{port}"
    loop.call_soon_threadsafe(stop.set)
    thread.join()


ENDLESS = "/api/v1.0/events"

THEIRS = {where for where, _ in [*daemon.routes(), *optools.routes(), *cyborg.routes()]}
"""What answers as others did: bare names said to be JSON, words passed over."""


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.timeout(300)
def test_schemathesis_finds_nothing(url, mode):
    load_all_checks()
    checks = [
        check
        for name in CHECKS.get_all_names()
        for check in CHECKS.get_by_names([name])
    ]
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    tried = 0
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        if operation.path == ENDLESS or operation.path in THEIRS:
            continue

        @settings(
            max_examples=15, deadline=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def is_true(case):
            nonlocal tried
            tried += 1
            case.call_and_validate(base_url=url, checks=checks, timeout=10)

        with suppress(Unsatisfiable):  # Nothing can be wrong where nothing is given.
            is_true()
    assert tried > 20
