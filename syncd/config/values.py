"""What a configuration says, as frozen values; their annotations are the reference."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    PrivateAttr,
)

from syncd.config.access import Accounts, Address, Tls, address, host_name, origin
from syncd.config.credentials import Credentials
from syncd.config.value import Value
from syncd.core import match
from syncd.core.guard import Limit
from syncd.core.guard import Limits as GuardLimits
from syncd.core.ignoring import parsed
from syncd.core.world import OnDelete, OnUnmatch
from syncd.errors import ConfigError
from syncd.hiding import HIDDEN

LONGEST_NAME = 100
"""Bytes of an entry's name: it becomes part of file names (conflicts)."""

MOST_DAYS = 36_500


class Conflict(NamedTuple):
    """Which content keeps the name; without a wish, the later one."""

    larger: bool = False
    prefer: tuple[str, ...] = ()
    manual: bool = False


class Keep(NamedTuple):
    """For how long what syncd replaces or deletes is kept; 0 days: not at all."""

    days: float = 7
    versions: int = 10

    def __str__(self) -> str:
        return f"{{days: {self.days:g}, versions: {self.versions}}}"


def seconds(value: object) -> float:
    """Return a duration in seconds; raise ValueError for what is none."""
    try:
        return match.duration(value)
    except ValueError:
        raise ValueError(
            "is not a duration; write seconds, or text like 90s, 15m, 1h30m or 7d"
        ) from None


def _conflict(value: object) -> Conflict:
    match value:
        case "keep-both":
            return Conflict()
        case "larger":
            return Conflict(larger=True)
        case "manual":
            return Conflict(manual=True)
        case {"prefer": [_, *_] as names, **others} if not others:
            if all(isinstance(name, str) for name in names):
                return Conflict(prefer=tuple(names))
    raise ValueError(
        "is not a way to settle conflicts; write keep-both, larger, {prefer: [A, B]}"
        " or manual"
    )


def _keep(value: object) -> Keep:
    if isinstance(value, bool):
        return Keep() if value else Keep(days=0)
    if isinstance(value, dict) and value and value.keys() <= set(Keep._fields):
        keep = Keep(**value)
        if _is_number(keep.days) and 0 <= keep.days < MOST_DAYS:
            whole = _is_number(keep.versions) and isinstance(keep.versions, int)
            if whole and keep.versions > 0:
                return keep
    raise ValueError(
        "is not for how long to keep; write {days: 7, versions: 10} (or one of them),"
        " with at least 1 version, or false to keep nothing"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _pattern(value: str) -> str:
    try:
        parsed([value])
    except ConfigError as error:
        raise ValueError(f"{error}; write it as in a .gitignore file") from None
    return value


def _name(value: str) -> str:
    controls = [c for c in value if unicodedata.category(c) in ("Cc", "Zl", "Zp")]
    if controls or "/" in value or ":" in value:
        raise ValueError("holds '/', ':' or a control character; choose another name")
    if value in ("", ".", "..") or value != value.strip() or value.startswith("-"):
        raise ValueError("is empty, '.', '..', or has '-' or blanks around; rename it")
    if len(value.encode()) > LONGEST_NAME:
        raise ValueError(f"is longer than {LONGEST_NAME} bytes; shorten it")
    return value


class Guard(Value):
    """How much may change on an entry within a minute, or one walk of it.

    What is more is held until a person decides.
    """

    deletions: int = Field(
        default=50,
        ge=0,
        description="more files than this deleted at once, and more than"
        " deletions_percent, are held, and so is whatever empties the entry; 0 for"
        " either: nothing is",
    )
    deletions_percent: float = Field(
        default=25.0,
        ge=0,
        le=100,
        description="the part of its files that goes with it",
    )
    overwrites: int = Field(
        default=100,
        ge=0,
        description="more files than this overwritten at once, and more than"
        " overwrites_percent, are held; 0 for either: nothing is",
    )
    overwrites_percent: float = Field(
        default=90.0,
        ge=0,
        le=100,
        description="the part of its files that goes with it",
    )
    rollbacks: int = Field(
        default=50,
        ge=0,
        description="more files than this put back at once to contents they had"
        " before, as by an old backup, are held; 0: nothing is",
    )

    def limits(self) -> GuardLimits:
        """Return the limits as a guard wants them."""
        return GuardLimits(
            deletions=_limit(self.deletions, self.deletions_percent),
            overwrites=_limit(self.overwrites, self.overwrites_percent),
            rollbacks=Limit(self.rollbacks),
        )


def _limit(files: int, percent: float) -> Limit:
    return Limit(files, percent / 100) if files and percent else Limit()


class Entry(Value):
    """One storage to keep in step."""

    driver: str = Field(description="the kind of storage")
    options: dict[str, Any] = Field(
        default={}, repr=False, description="what its driver wants to know"
    )
    ignore: tuple[Annotated[str, AfterValidator(_pattern)], ...] = Field(
        default=(),
        description="patterns, as in a .gitignore file, of what is left alone",
    )
    rescan: Annotated[float, PlainValidator(seconds)] = Field(
        default=3600.0,
        description="time between two walks of the whole storage: seconds, or text like"
        " 90s, 15m, 1h30m or 7d; 0 walks only at the start",
    )
    on_delete: OnDelete = Field(
        default=OnDelete.PROPAGATE,
        description="a deletion here is carried to the others (propagate), undone"
        " from them (restore), or kept to this entry until the file's next version"
        " (ignore)",
    )
    on_unmatch: OnUnmatch = Field(
        default=OnUnmatch.KEEP,
        description="a copy that no rule wants any more stays, no longer maintained"
        " (keep), or goes once another owner holds it: to where such things are kept"
        " (trash), or there only if keep says so (delete)",
    )
    keep: Annotated[Keep, PlainValidator(_keep)] = Field(
        default=Keep(),
        description="for how many days, and how many versions of one path, what syncd"
        " replaces or deletes here is kept on the same storage, to be brought back by"
        " undo; false keeps nothing",
    )
    conflict: Annotated[Conflict, PlainValidator(_conflict)] = Field(
        default=Conflict(),
        description="which of two contents keeps the name: the later one (keep-both),"
        " the larger one (larger), or that of the first of these entries"
        " ({prefer: [A, B]}), the other being kept beside it in every case; or neither,"
        " until a person decides (manual)",
    )
    guard: Guard = Field(
        default=Guard(), description="how much may change at once without being held"
    )
    _secrets: frozenset[str] = PrivateAttr(frozenset())

    def model_post_init(self, context: Any) -> None:
        """Remember which texts may not be shown."""
        self._secrets = context or frozenset()

    def shown(self) -> dict[str, Any]:
        """Return the options with secrets hidden, for answers and logs."""
        return {
            key: _masked(value, self._secrets) for key, value in self.options.items()
        }


class Log(Value):
    """What is logged, and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least important lines that are written"
    )
    format: Literal["console", "json"] = Field(
        default="console",
        description="how lines on stderr look: for people, or for programs",
    )


class Limits(Value):
    """What a client of the API may ask for."""

    body: Annotated[int, PlainValidator(match.size)] = Field(
        default=1 << 20,
        description="the largest body of a request: 65536, 1MiB",
    )
    requests_per_second: float = Field(
        default=1000.0, gt=0, description="requests answered in a second, on average"
    )


class Config(Value):
    """Everything the configuration says."""

    listen: tuple[Annotated[Address, PlainValidator(address)], ...] = Field(
        default=(Address("127.0.0.1", 3862),),
        min_length=1,
        description="addresses of the API, as HOST:PORT; others than loopback take an"
        " account, and tls or insecure",
    )
    names: tuple[Annotated[str, AfterValidator(host_name)], ...] = Field(
        default=(),
        description="further names by which clients call this machine, as NAME or"
        " NAME:PORT (443 for a proxy that speaks HTTPS); requests under names we do not"
        " know are refused, and so are changes by pages of other ports",
    )
    origins: tuple[Annotated[str, AfterValidator(origin)], ...] = Field(
        default=(),
        description="pages of other hosts that may use the API for whole machines from"
        " a browser, as https://HOST:PORT; '*' lets every page",
    )
    tls: Tls | None = Field(
        default=None,
        description="certificate and key, with which every address speaks HTTPS",
    )
    insecure: bool = Field(
        default=False,
        description="whether other machines may reach us without tls: passwords and"
        " contents can then be read on the way",
    )
    accounts: Accounts = Field(
        default=Accounts(), description="how users and tokens are treated"
    )
    state: Path = Field(
        default=Path("var"),
        description="folder of index, ledgers, sockets and logs; made with mode 0700,"
        " relative to the working directory",
    )
    rules: Path = Field(
        default=Path("rules.yaml"),
        description="file of the rules, relative to the folder of this file",
    )
    entries: dict[Annotated[str, AfterValidator(_name)], Entry] = Field(
        min_length=1, description="the storages, by name"
    )
    log: Log = Field(default=Log(), description="what is logged, and how it looks")
    limits: Limits = Field(default=Limits(), description="what a client may ask for")
    backup: dict[str, Any] | None = Field(
        default=None, repr=False, description="what is backed up, where to, and when"
    )
    _credentials: Credentials | None = PrivateAttr(None)
    _secrets: frozenset[str] = PrivateAttr(frozenset())
    _variables: tuple[str, ...] = PrivateAttr(())

    def model_post_init(self, context: Any) -> None:
        """Remember which texts may not be shown."""
        self._secrets = context or frozenset()

    def secrets(self) -> frozenset[str]:
        """Return the texts that may stand in no line of the log."""
        own = {self._credentials.password} if self._credentials else set()
        return self._secrets | own

    @property
    def credentials(self) -> Credentials | None:
        """Return what the environment says of who may come in."""
        return self._credentials

    @property
    def variables(self) -> Sequence[str]:
        """Return the variables of the environment that count in place of the file."""
        return self._variables

    def with_environment(
        self, pair: Credentials | None, variables: Sequence[str] = ()
    ) -> Self:
        """Return the same with what the environment says."""
        result = self.model_copy()
        result._credentials = pair
        result._variables = tuple(variables)
        return result


def _masked(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, secrets) for item in value]
    return HIDDEN if isinstance(value, str) and value in secrets else value
