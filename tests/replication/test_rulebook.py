"""The rules in force: put, reloaded, refused, and what stays when all goes wrong."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from structlog.testing import capture_logs

from syncd.core.rules import Rule, RuleFaults, fingerprint, parse
from syncd.errors import ConfigError, Unavailable
from syncd.replication.rulebook import Rulebook

ENTRIES = ["A", "B"]
ONE = {"rules": [{"match": {"path": "/"}, "sync": ["A"]}]}
TWO = {"rules": [{"match": {"path": "/"}, "sync": ["B"]}]}
THREE: dict[str, list[Any]] = {"rules": []}
BROKEN = {"rules": [{"sync": ["C"]}, {"match": {"path": "x"}, "sync": ["A"]}]}
FAULTS = [
    "rules[0].sync[0]: no entry is called C; entries are A, B",
    "rules[1].match.path: must begin with a slash: /x",
]


class Index:
    """Where rules are applied: keeps what it was given, as slowly as asked."""

    def __init__(self) -> None:
        self.applied: list[Any] = []
        self.trouble: Exception | None = None
        self.busy = 0

    async def apply(self, document: Any, rules: tuple[Rule, ...]) -> None:
        assert rules == parse(document, None)
        self.busy += 1
        assert self.busy == 1
        await asyncio.sleep(0.001)
        self.busy -= 1
        if self.trouble:
            raise self.trouble
        self.applied.append(document)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rules.yaml"


@pytest.fixture
def index() -> Index:
    return Index()


def book(path: Path, index: Index, document=None, mark=None) -> Rulebook:
    log = structlog.get_logger()
    return Rulebook(path, ENTRIES, document, index.apply, log, mark=mark)


async def opened(path: Path, index: Index, document: Any = ONE) -> Rulebook:
    """A rulebook whose file has the document, in force."""
    path.write_text(yaml.safe_dump(document))
    rulebook = book(path, index)
    await rulebook.open()
    index.applied.clear()
    return rulebook


# Start ------------------------------------------------------------------------


async def test_the_first_start_puts_the_file_in_force(path, index):
    path.write_text(yaml.safe_dump(ONE))
    rulebook = book(path, index)
    await rulebook.open()

    assert index.applied == [ONE]
    assert rulebook.shown() == ONE
    assert rulebook.rules == parse(ONE, ENTRIES)
    assert rulebook.mark == fingerprint(ONE, ENTRIES)


@pytest.mark.parametrize("mark", [None, fingerprint(ONE, ENTRIES), "another"])
async def test_a_start_with_the_same_rules_puts_them_in_force(path, index, mark):
    path.write_text("# a comment is no change\n" + yaml.safe_dump(ONE))
    rulebook = book(path, index, ONE, mark)
    await rulebook.open()

    assert index.applied == [ONE]
    assert rulebook.rules == parse(ONE, ENTRIES)
    assert not await rulebook.reload()


async def test_a_start_with_other_rules_applies_them(path, index):
    path.write_text(yaml.safe_dump(TWO))
    rulebook = book(path, index, ONE)
    await rulebook.open()

    assert index.applied == [TWO]
    assert rulebook.rules == parse(TWO, ENTRIES)


async def test_entries_that_came_while_the_file_was_broken_are_noticed(path, index):
    path.write_text("rules: [")
    rulebook = book(path, index, ONE, mark=fingerprint(ONE, ["A", "B", "gone"]))
    with capture_logs():
        await rulebook.open()
    path.write_text(yaml.safe_dump(ONE))

    assert await rulebook.reload()


@pytest.mark.parametrize(
    "content", [yaml.safe_dump(BROKEN), None, "rules: [", "", "- a"]
)
async def test_a_broken_file_at_start_puts_the_last_good_rules_in_force(
    path, index, content
):
    if content is not None:
        path.write_text(content)
    rulebook = book(path, index, ONE)
    with capture_logs() as lines:
        await rulebook.open()

    (line,) = lines
    assert line["log_level"] == "error"
    assert all(fault.startswith(f"{path}: ") for fault in line["faults"])
    assert rulebook.shown() == ONE
    assert rulebook.rules == parse(ONE, ENTRIES)
    assert index.applied == [ONE]


async def test_every_fault_is_logged_at_start(path, index):
    path.write_text(yaml.safe_dump(BROKEN))
    with capture_logs() as lines:
        await book(path, index, ONE).open()

    assert lines[0]["faults"] == [f"{path}: {fault}" for fault in FAULTS]


async def test_a_broken_file_at_the_very_first_start_is_an_error(path, index):
    path.write_text(yaml.safe_dump(BROKEN))
    with pytest.raises(ConfigError) as caught:
        await book(path, index).open()

    assert str(caught.value) == "\n".join(f"{path}: {fault}" for fault in FAULTS)


async def test_no_file_at_the_very_first_start_is_an_error(path, index):
    with pytest.raises(ConfigError, match="does not exist; make it"):
        await book(path, index).open()


async def test_the_last_good_rules_may_name_entries_that_are_gone(path, index):
    old = {"rules": [{"sync": ["A", "gone"]}]}
    rulebook = book(path, index, old)
    with capture_logs():
        await rulebook.open()

    assert rulebook.rules == parse(old, None)
    assert index.applied == [old]


async def test_rules_in_the_index_that_mean_nothing_are_as_none(path, index):
    path.write_text(yaml.safe_dump(ONE))
    with capture_logs() as lines:
        await book(path, index, {"rulez": []}).open()
    assert index.applied == [ONE]
    assert "rules: is missing" in str(lines)

    path.unlink()
    with pytest.raises(ConfigError), capture_logs():
        await book(path, index, {"rulez": []}).open()


# Put and reload ---------------------------------------------------------------


async def test_rules_are_put_then_reloaded(path, index):
    rulebook = await opened(path, index)
    await rulebook.put(TWO)

    assert index.applied == []
    assert rulebook.rules == parse(ONE, ENTRIES)
    assert rulebook.shown() == TWO
    assert yaml.safe_load(path.with_name("rules.yaml.bak").read_text()) == ONE

    assert await rulebook.reload()
    assert index.applied == [TWO]
    assert rulebook.rules == parse(TWO, ENTRIES)


async def test_a_reload_without_a_change_does_nothing(path, index):
    rulebook = await opened(path, index)

    assert not await rulebook.reload()
    await rulebook.put(ONE)
    assert not await rulebook.reload()
    assert index.applied == []


async def test_put_and_put_back_is_no_change(path, index):
    rulebook = await opened(path, index)
    await rulebook.put(TWO)
    await rulebook.put(ONE)

    assert not await rulebook.reload()


async def test_rules_put_before_a_restart_come_into_force_with_it(path, index):
    await (await opened(path, index)).put(TWO)
    rulebook = book(path, index, ONE)
    await rulebook.open()

    assert index.applied == [TWO]


async def test_what_was_put_is_shown_just_so(path, index):
    odd = {
        "rules": [{"sync": ["B"], "match": {"size": {"max": "1 MiB"}, "mime": "a/b"}}]
    }
    rulebook = await opened(path, index)
    await rulebook.put(odd)
    await rulebook.reload()

    assert rulebook.shown() == odd
    assert list(rulebook.shown()["rules"][0]) == ["sync", "match"]
    assert index.applied == [odd]


async def test_broken_rules_are_not_put(path, index):
    rulebook = await opened(path, index)
    before = path.read_bytes()
    with pytest.raises(RuleFaults) as caught:
        await rulebook.put(BROKEN)

    assert caught.value.faults == FAULTS
    assert path.read_bytes() == before
    assert rulebook.shown() == ONE
    assert list(path.parent.iterdir()) == [path]


async def test_a_broken_file_is_not_reloaded(path, index):
    rulebook = await opened(path, index)
    path.write_text(yaml.safe_dump(BROKEN))
    with pytest.raises(RuleFaults) as caught:
        await rulebook.reload()

    assert caught.value.faults == [f"{path}: {fault}" for fault in FAULTS]
    assert rulebook.shown() == ONE
    assert rulebook.rules == parse(ONE, ENTRIES)
    assert index.applied == []


async def test_rules_edited_by_hand_are_reloaded(path, index):
    rulebook = await opened(path, index)
    path.write_text(yaml.safe_dump(TWO))

    assert rulebook.shown() == ONE
    assert await rulebook.reload()
    assert rulebook.shown() == TWO
    assert index.applied == [TWO]


async def test_a_put_that_cannot_be_written_changes_nothing(path, index):
    rulebook = await opened(path, index)
    path.unlink()
    path.mkdir()
    with pytest.raises(Unavailable):
        await rulebook.put(TWO)

    assert rulebook.shown() == ONE


async def test_rules_that_could_not_be_applied_are_tried_again(path, index):
    rulebook = await opened(path, index)
    await rulebook.put(TWO)
    index.trouble = Unavailable("the index is away")
    with pytest.raises(Unavailable):
        await rulebook.reload()
    assert rulebook.rules == parse(ONE, ENTRIES)

    index.trouble = None
    assert await rulebook.reload()
    assert index.applied == [TWO]


async def test_puts_and_reloads_at_once_lose_none(path, index):
    rulebook = await opened(path, index)
    documents = [TWO, THREE, ONE, TWO, ONE, THREE] * 3
    work = [
        call
        for document in documents
        for call in (rulebook.put(document), rulebook.reload())
    ]
    changed = (await asyncio.gather(*work))[1::2]

    assert all(changed)
    assert index.applied == documents
    assert yaml.safe_load(path.read_text()) == rulebook.shown() == THREE
    assert rulebook.rules == ()
