"""What Borg and SSH say on stderr, and what it means when they fail."""

import re
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from syncd.core.borg.tasks import Result, Sizes
from syncd.core.job import Progress
from syncd.errors import (
    BadRequest,
    Conflict,
    NotFound,
    StorageBusy,
    StorageError,
    StorageFull,
    StorageReadOnly,
    StorageUntrusted,
    SyncdError,
)

WARNING = 1
"""Borg's exit code when something was not as it should be, and the rest was done."""

SIGPIPE = 128 + 13
"""The exit code, in a shell, of who writes what nobody reads."""

SHOWN = 5
"""Lines that tell why something failed."""

PIPE_CODES = "syncd: ended with"
"""Begins the line in which a pipe tells how each of its commands has ended."""


class Level(StrEnum):
    """How bad a line is."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Line(Struct, frozen=True):
    """A line for the log."""

    text: str
    level: Level = Level.INFO
    word: str = ""
    """Borg's name for an error: ``LockTimeout``."""


class Trouble(StrEnum):
    """Why Borg failed, where that can be told."""

    LOCKED = "locked"
    FULL = "full"
    READ_ONLY = "read-only"
    PASSPHRASE = "passphrase"
    UNKNOWN_HOST = "unknown host"
    REFUSED = "login refused"
    UNREACHABLE = "unreachable"
    NO_BORG = "no borg"
    NO_REPOSITORY = "no repository"
    EXISTS = "exists"
    NO_ARCHIVE = "no archive"
    DAMAGED = "damaged"


class _Said(Struct, frozen=True):
    type: str
    levelname: str = "INFO"
    message: str = ""
    msgid: str | None = ""
    original_size: int = 0
    nfiles: int = 0
    path: str = ""
    current: int = 0
    total: int = 0
    finished: bool = False


_said = msgspec.json.Decoder(_Said)


def understood(line: str) -> Line | Progress | None:
    """Return what a line of stderr is; None for what need not be told."""
    if not line.startswith("{"):
        return Line(line) if line.strip() else None
    try:
        said = _said.decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return Line(line)
    match said.type:
        case "log_message":
            return Line(said.message, _level(said.levelname), said.msgid or "")
        case "archive_progress" if not said.finished:
            return Progress(
                bytes=said.original_size, items=said.nfiles, phase="reading"
            )
        case "progress_percent" if not said.finished and said.total:
            phase = said.message.strip().partition(" ")[0].lower()
            return Progress(items=said.current, total_items=said.total, phase=phase)
    return None


def _level(name: str) -> Level:
    if name in ("ERROR", "CRITICAL"):
        return Level.ERROR
    return Level.WARNING if name == "WARNING" else Level.INFO


_WORDS = {
    "LockTimeout": Trouble.LOCKED,
    "LockFailed": Trouble.READ_ONLY,
    "LockErrorT": Trouble.LOCKED,
    "PassphraseWrong": Trouble.PASSPHRASE,
    "NoPassphraseFailure": Trouble.PASSPHRASE,
    "Repository.InsufficientFreeSpaceError": Trouble.FULL,
    "Repository.StorageQuotaExceeded": Trouble.FULL,
    "Repository.DoesNotExist": Trouble.NO_REPOSITORY,
    "Repository.ParentPathDoesNotExist": Trouble.NO_REPOSITORY,
    "Repository.InvalidRepository": Trouble.NO_REPOSITORY,
    "Repository.AlreadyExists": Trouble.EXISTS,
    "Repository.PathAlreadyExists": Trouble.EXISTS,
    "Repository.CheckNeeded": Trouble.DAMAGED,
    "Archive.AlreadyExists": Trouble.EXISTS,
    "Archive.DoesNotExist": Trouble.NO_ARCHIVE,
    "IntegrityError": Trouble.DAMAGED,
}

_PATTERNS = [
    (
        r"Host key verification failed|REMOTE HOST IDENTIFICATION|"
        r"^No host keys found for destination",
        Trouble.UNKNOWN_HOST,
    ),
    (r"Permission denied \(|Too many authentication failures", Trouble.REFUSED),
    (
        r"^(Remote: )?ssh: .*(refused|timed out|No route|resolve|unreachable)|"
        r"Connection (refused|timed out|reset|closed) (by|to)|not responding",
        Trouble.UNREACHABLE,
    ),
    (r"borg: (command )?not found|borg: No such file", Trouble.NO_BORG),
    (r"No space left on device|Disk quota exceeded|\[Errno 28\]", Trouble.FULL),
    (r"Read-only file system|\[Errno 30\]", Trouble.READ_ONLY),
]
_COMPILED = [(re.compile(pattern), trouble) for pattern, trouble in _PATTERNS]

_REMEDIES: dict[Trouble, tuple[type[SyncdError], str]] = {
    Trouble.LOCKED: (
        StorageBusy,
        "somebody else works on the repository, and holds its lock; it is tried again."
        " If nobody does, remove the lock by: borg break-lock REPOSITORY",
    ),
    Trouble.FULL: (
        StorageFull,
        "there is no room for the repository; make some, or prune it",
    ),
    Trouble.READ_ONLY: (
        StorageReadOnly,
        "the repository cannot be written to; look at its mount and its rights",
    ),
    Trouble.PASSPHRASE: (
        BadRequest,
        "the repository has another passphrase; correct the one that is given for it",
    ),
    Trouble.UNKNOWN_HOST: (
        StorageUntrusted,
        "the machine does not show the key that was confirmed for it, or none was"
        " confirmed yet; compare its fingerprint and confirm it",
    ),
    Trouble.REFUSED: (
        StorageError,
        "the machine refuses our SSH key; add its public half to the authorized_keys"
        " of the account there",
    ),
    Trouble.UNREACHABLE: (
        StorageBusy,
        "the machine cannot be reached by SSH; see that it is up, and its address and"
        " port right",
    ),
    Trouble.NO_BORG: (
        StorageError,
        "there is no Borg on that machine; install it there (borgbackup, 1.2 or newer)",
    ),
    Trouble.NO_REPOSITORY: (
        NotFound,
        "there is no repository at that path; prepare it, or correct the path",
    ),
    Trouble.EXISTS: (Conflict, "there is one of that name already"),
    Trouble.NO_ARCHIVE: (NotFound, "the repository has no such archive"),
    Trouble.DAMAGED: (
        StorageError,
        "the repository is damaged; check it before anything else is done with it",
    ),
}


def trouble(lines: list[Line]) -> Trouble | None:
    """Return why Borg failed, by what it said; None: it is something else."""
    for line in lines:
        word = line.word.rpartition(".")[2]
        found = _WORDS.get(line.word) or _WORDS.get(word)
        if found is not None and found is not Trouble.EXISTS:
            return found
    for line in lines:
        for pattern, one in _COMPILED:
            if pattern.search(line.text):
                return one
    words = {line.word for line in lines}
    return Trouble.EXISTS if any("AlreadyExists" in word for word in words) else None


def failure(what: str, code: int, lines: list[Line]) -> SyncdError:
    """Return the error for something that ended badly, with its remedy.

    What was said of it follows on lines of its own: not everybody is told these.
    """
    found = trouble(lines)
    if found is None:
        return plainly(what, code, lines)
    kind, words = _REMEDIES[found]
    return kind(f"{what} failed: {words}{_last(lines)}")


def plainly(what: str, code: int, lines: list[Line]) -> StorageError:
    """Return the error for something that ended badly, whatever that means."""
    how = f"by signal {-code}" if code < 0 else f"with {code}"
    return StorageError(f"{what} ended {how}{_last(lines)}")


def _last(lines: list[Line]) -> str:
    told = [line.text for line in lines if not line.text.startswith(PIPE_CODES)]
    return "\n".join([":", *told[-SHOWN:]]) if told else ""


def pipe_codes(lines: list[Line]) -> list[int]:
    """Return how each command of a pipe has ended; [] if that was not told."""
    for line in reversed(lines):
        if line.text.startswith(PIPE_CODES):
            return [int(code) for code in line.text.removeprefix(PIPE_CODES).split()]
    return []


def guilty(first: int, second: int) -> int:
    """Return the code of the command because of which a pipe has failed; 0 for none.

    The first that is ended because nobody reads any more has done nothing wrong.
    """
    return second if first in (0, WARNING, SIGPIPE) else first


class Statistics(Struct, frozen=True):
    """What ``--json`` says of an archive and of its repository, in bytes."""

    archive: dict[str, Any] = {}
    cache: dict[str, Any] = {}
    archives: list[dict[str, Any]] = []
    encryption: dict[str, Any] = {}


def statistics(printed: bytes) -> Statistics:
    """Return what Borg printed with ``--json``; raise StorageError for other things."""
    try:
        return msgspec.json.decode(printed, type=Statistics)
    except ValueError as error:
        raise StorageError(f"Borg prints what is no JSON: {error}") from None


def backed_up(code: int, lines: list[Line], printed: bytes) -> Result:
    """Return what Borg says of an archive that it has made; raise what went wrong."""
    if code not in (0, WARNING):
        raise failure("the backup", code, lines)
    said = statistics(printed)
    return Result(
        sizes=of_archive(said.archive.get("stats", {})),
        repository=of_repository(said.cache.get("stats", {})),
        files=int(said.archive.get("stats", {}).get("nfiles", 0)),
        warnings=warnings(lines),
    )


def warnings(lines: list[Line]) -> list[str]:
    """Return what of these lines is more than talk."""
    return [line.text for line in lines if line.level is not Level.INFO]


def of_archive(stats: dict[str, Any]) -> Sizes:
    """Return the sizes of an archive."""
    return Sizes(
        original=int(stats.get("original_size", 0)),
        compressed=int(stats.get("compressed_size", 0)),
        deduplicated=int(stats.get("deduplicated_size", 0)),
    )


def of_repository(stats: dict[str, Any]) -> Sizes:
    """Return the sizes of all archives together."""
    return Sizes(
        original=int(stats.get("total_size", 0)),
        compressed=int(stats.get("total_csize", 0)),
        deduplicated=int(stats.get("unique_csize", 0)),
    )


def is_at_least(version: str, oldest: tuple[int, int]) -> bool:
    """Tell whether a version like ``1.2.4`` is so new."""
    found = re.match(r"(\d+)\.(\d+)", version, re.ASCII)
    return found is not None and (int(found[1]), int(found[2])) >= oldest


_PRUNED = re.compile(r"(Pruning archive(?: \(\d+/\d+\))?|Would prune): +(\S+)")
_KEPT = re.compile(r"(?:Keeping archive \(rule: [^)]*\)|Would keep[^:]*): +(\S+)")


def pruned(lines: list[Line]) -> tuple[list[str], list[str]]:
    """Return the archives that were, or would be, deleted, and those that are kept."""
    gone = [found[2] for line in lines if (found := _PRUNED.match(line.text))]
    kept = [found[1] for line in lines if (found := _KEPT.match(line.text))]
    return gone, kept
