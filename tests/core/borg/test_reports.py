"""What Borg says, and what is made of it."""

import json
from typing import Any

import pytest

from syncd.core.borg.reports import (
    Level,
    Line,
    Trouble,
    backed_up,
    failure,
    guilty,
    is_at_least,
    of_archive,
    of_repository,
    pipe_codes,
    pruned,
    statistics,
    trouble,
    understood,
)
from syncd.core.borg.tasks import Sizes
from syncd.core.job import Progress
from syncd.errors import (
    BadRequest,
    Conflict,
    NotFound,
    StorageBusy,
    StorageError,
    StorageFull,
    StorageUntrusted,
)


def said(**more: Any) -> str:
    return json.dumps(more)


DEEP = '{"a":' * 10_000 + "1" + "}" * 10_000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain words", Line("plain words")),
        ("  ", None),
        ("{broken", Line("{broken")),
        (
            said(type="log_message", levelname="WARNING", message="m", msgid=None),
            Line("m", Level.WARNING),
        ),
        (
            said(type="log_message", levelname="CRITICAL", message="m", msgid="X"),
            Line("m", Level.ERROR, "X"),
        ),
        (said(type="log_message", levelname="DEBUG", message="m"), Line("m")),
        (
            said(type="archive_progress", original_size=5, nfiles=2, path="a"),
            Progress(bytes=5, items=2, phase="reading"),
        ),
        (said(type="archive_progress", finished=True), None),
        (
            said(type="progress_percent", message="Checking x", current=1, total=4),
            Progress(items=1, total_items=4, phase="checking"),
        ),
        (
            said(type="progress_percent", current=1, total=4),
            Progress(items=1, total_items=4),
        ),
        (
            said(type="progress_percent", message=" ", current=1, total=4),
            Progress(items=1, total_items=4),
        ),
        (said(type="progress_percent", finished=True), None),
        (DEEP, Line(DEEP)),
        (said(type="progress_message", message="m"), None),
    ],
)
def test_a_line_is_understood(line, expected):
    assert understood(line) == expected


@pytest.mark.parametrize(
    ("line", "expected", "kind"),
    [
        (Line("x", Level.ERROR, "LockTimeout"), Trouble.LOCKED, StorageBusy),
        (Line("x", Level.ERROR, "PassphraseWrong"), Trouble.PASSPHRASE, BadRequest),
        (
            Line("x", Level.ERROR, "Repository.InsufficientFreeSpaceError"),
            Trouble.FULL,
            StorageFull,
        ),
        (
            Line("x", Level.ERROR, "Repository.DoesNotExist"),
            Trouble.NO_REPOSITORY,
            NotFound,
        ),
        (Line("x", Level.ERROR, "Archive.AlreadyExists"), Trouble.EXISTS, Conflict),
        (
            Line("Remote: Host key verification failed."),
            Trouble.UNKNOWN_HOST,
            StorageUntrusted,
        ),
        (Line("me@web: Permission denied (publickey)."), Trouble.REFUSED, StorageError),
        (
            Line("ssh: connect to host web port 22: Connection refused"),
            Trouble.UNREACHABLE,
            StorageBusy,
        ),
        (Line("sh: 1: exec: borg: not found"), Trouble.NO_BORG, StorageError),
        (
            Line("Remote: OSError: [Errno 28] No space left on device"),
            Trouble.FULL,
            StorageFull,
        ),
    ],
)
def test_trouble_is_told_with_its_remedy(line, expected, kind):
    lines = [Line("before"), line]

    assert trouble(lines) is expected
    error = failure("the backup", 2, lines)
    assert type(error) is kind
    assert str(error).startswith("the backup failed: ")
    assert str(error).endswith(f"\n{line.text}")


def test_a_cause_is_worth_more_than_what_follows_from_it():
    lines = [
        Line("Remote: Host key verification failed."),
        Line("closed", Level.ERROR, "ConnectionClosedWithHint"),
    ]

    assert trouble(lines) is Trouble.UNKNOWN_HOST


@pytest.mark.parametrize(
    ("code", "lines", "words"),
    [
        (3, [], "the backup ended with 3"),
        (-9, [], "the backup ended by signal 9"),
        (
            3,
            [Line(one) for one in "abcdef"],
            "the backup ended with 3:\nb\nc\nd\ne\nf",
        ),
        (3, [Line("a")], "the backup ended with 3:\na"),
    ],
)
def test_what_is_not_known_is_told_as_it_is(code, lines, words):
    assert str(failure("the backup", code, lines)) == words


def test_what_a_pipe_says_of_its_commands():
    lines = [Line("x"), Line("syncd: ended with 255 0"), Line("y")]

    assert pipe_codes(lines) == [255, 0]
    assert pipe_codes([Line("x")]) == []


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(0, 0, 0), (0, 2, 2), (2, 0, 2), (141, 2, 2), (255, 2, 255), (1, 0, 0)],
)
def test_who_of_a_pipe_is_guilty(first, second, expected):
    assert guilty(first, second) == expected


def test_how_a_pipe_has_ended_is_no_word_for_people():
    error = failure("it", 2, [Line("a"), Line("syncd: ended with 2 0")])

    assert str(error) == "it ended with 2:\na"


def test_statistics():
    found = statistics(b'{"archive": {"stats": {}}, "cache": {"stats": {"x": 1}}}')

    assert found.cache == {"stats": {"x": 1}}
    with pytest.raises(StorageError, match="no JSON"):
        statistics(b"oh")


def test_a_backup_is_what_borg_says_of_it():
    printed = b'{"archive": {"stats": {"nfiles": 2, "original_size": 5}}, "cache": {}}'
    lines = [Line("talk"), Line("careful", Level.WARNING)]

    made = backed_up(1, lines, printed)

    assert (made.files, made.warnings) == (2, ["careful"])
    assert made.sizes == Sizes(original=5)
    with pytest.raises(StorageError, match="the backup ended with 2"):
        backed_up(2, lines, printed)


def test_sizes():
    stats = {"original_size": 3, "compressed_size": 2, "deduplicated_size": 1}
    total = {"total_size": 3, "total_csize": 2, "unique_csize": 1}
    sizes = Sizes(original=3, compressed=2, deduplicated=1)

    assert of_archive(stats) == of_repository(total) == sizes
    assert of_archive({}) == of_repository({}) == Sizes()


@pytest.mark.parametrize(
    ("version", "enough"),
    [("1.2.4", True), ("1.10", True), ("2.0b1", True), ("1.1.18", False), ("", False)],
)
def test_versions(version, enough):
    assert is_at_least(version, (1, 2)) == enough


def test_what_was_pruned():
    lines = [
        Line("Keeping archive (rule: daily #1):        a    Mon, 2020-01-01 [x]"),
        Line("Pruning archive (1/2):                   b    Mon, 2020-01-01 [x]"),
        Line("Would prune:                             c    Mon, 2020-01-01 [x]"),
        Line("something else"),
    ]

    assert pruned(lines) == (["b", "c"], ["a"])
