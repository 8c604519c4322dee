"""The last change of one file can be asked: from the event to every copy."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from syncd.core import path as paths
from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon


class Talkative(Daemon):
    """A daemon that logs whatever there is to log."""

    def write_config(self, settings: Any) -> None:
        super().write_config(settings)
        document = yaml.safe_load(self.config.read_text())
        loud = {**document, "log": {"level": "debug"}}
        self.config.write_text(yaml.safe_dump(loud, allow_unicode=True))

    def explained(self, name: str) -> dict[str, Any]:
        """Return the whole explanation of a file, there or gone."""
        found: dict[str, Any] = self.get(f"/files/{paths.fid(name)}/explain")
        return found

    def lines(self, cause: str) -> list[dict[str, Any]]:
        """Return the lines of the log that are about a change."""
        text = (self.state / "log/syncd.log").read_text()
        every = (json.loads(line) for line in text.splitlines() if cause in line)
        return [
            one for one in every if cause in (one.get("cause"), *one.get("causes", ()))
        ]


@pytest.fixture
def talkative() -> Iterator[Talkative]:
    with Talkative("A", "B", "C") as daemon:
        yield daemon


def steps(said: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return what happened, in which step, where; the decision is everywhere."""
    return {(one["step"], one["what"], one.get("entry", "")) for one in said["story"]}


def test_a_change_is_told_from_the_event_to_the_copies(talkative: Talkative):
    talkative.write("A", "d/file", b"one")
    talkative.converged()
    first = talkative.explained("d/file")
    talkative.write("B", "d/file", b"changed")
    talkative.arrives("C", "d/file", b"changed")
    talkative.converged()

    said = talkative.explained("d/file")

    assert said["cause"] != first["cause"]
    assert steps(said) == {
        ("noticed", "found", "B"),
        ("decided", "changed", ""),
        *(("ordered", "put", entry) for entry in "AC"),
        *(("done", "put", entry) for entry in "AC"),
    }
    assert [one["at"] for one in said["story"]] == sorted(
        one["at"] for one in said["story"]
    )
    assert said["story"][1]["entries"] == ["A", "B", "C"]
    assert {tuple(one.get("sources", ())) for one in said["story"]} == {(), ("B",)}
    assert {one["bytes"] for one in said["story"] if one["step"] == "done"} == {7}
    shown = talkative.command_line("explain", "d/file").stdout
    assert f"Its last change ({said['cause']})" in shown
    assert "B: something new was found" in shown


def test_every_line_about_a_change_has_its_id(talkative: Talkative):
    talkative.write("A", "file", b"one")
    talkative.converged()
    cause = talkative.explained("file")["cause"]
    wait_for(lambda: len(talkative.lines(cause)) >= 8)

    told = {(one["event"], one.get("entry")) for one in talkative.lines(cause)}

    assert told >= {
        ("noticed", "A"),
        ("file changed", None),
        *(("ordered", entry) for entry in "BC"),
        *(("carried out", entry) for entry in "BC"),
        *(("order done", entry) for entry in "BC"),
    }


def test_a_deletion_is_told_too(talkative: Talkative):
    talkative.write("A", "file", b"one")
    talkative.converged()
    talkative.path("C", "file").unlink()
    wait_for(lambda: not talkative.path("A", "file").exists())
    wait_for(lambda: not talkative.path("B", "file").exists())
    wait_for(lambda: not talkative.total_pending())

    said = talkative.explained("file")

    assert said["deleted"]
    assert steps(said) >= {
        ("noticed", "gone", "C"),
        ("decided", "deleted", ""),
        *(("done", "delete", entry) for entry in "AB"),
    }
    shown = talkative.command_line("explain", "file").stdout
    assert "deleted; was to be on A, B and C" in shown


def test_after_a_restart_the_index_tells_what_was_decided(talkative: Talkative):
    talkative.write("A", "file", b"one")
    talkative.converged()
    before = talkative.explained("file")

    talkative.restart()

    after = talkative.explained("file")
    assert after["cause"] == before["cause"]
    assert after["story"] == [
        one for one in before["story"] if one["step"] == "decided"
    ]
