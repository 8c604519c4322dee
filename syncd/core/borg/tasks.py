"""What can be done with Borg: one task for a worker each, and what comes of it."""

from enum import StrEnum
from typing import Any

from msgspec import Struct

from syncd.core.borg import names
from syncd.core.borg.values import (
    Client,
    Login,
    Policy,
    Repository,
    folder,
    host,
    line,
    port,
)
from syncd.errors import BadRequest


class Mode(StrEnum):
    """Who runs Borg when a client is backed up over SSH."""

    PUSH = "push"
    """The client, which reaches the repository by SSH."""
    PULL = "pull"
    """We do, and read the client by SSH; it needs no Borg and no passphrase."""


class Keep(Struct, frozen=True, kw_only=True):
    """How many archives are kept for each span; 0: the rule is not there."""

    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            number = getattr(self, name)
            if number < 0:
                raise BadRequest(f"keep_{name} is {number}; give 0 or more")


class Common(Struct, frozen=True, kw_only=True):
    """What every task is told."""

    login: Login = Login()
    base: str = ""
    """Folder of ours where Borg keeps its cache; empty: where it does by itself."""


class BackUp(Common, frozen=True, kw_only=True, tag="backup"):
    """Make an archive of a client."""

    repository: Repository
    client: Client
    policy: Policy
    variables: dict[str, Any] = {}
    provider: str = ""
    """Of virtual machines."""
    made: float
    """When it was asked for; seconds since 1970."""
    mode: Mode = Mode.PUSH
    before: str = ""
    """Shell command that is run on the client before it ..."""
    after: str = ""
    """... and after it, however it ended."""
    hook_timeout: float = 3600.0
    """Seconds for each of the two."""

    def __post_init__(self) -> None:
        names.archive(self.policy, self.client, self.made)

    @property
    def archive(self) -> str:
        """Return the name of the archive."""
        return names.archive(self.policy, self.client, self.made)


class Catalogue(Common, frozen=True, kw_only=True, tag="catalogue"):
    """Write down what an archive holds, in batches of core.borg.listing."""

    repository: Repository
    archive: str
    file: str
    """Where the batches go; it is shown when it is complete."""

    def __post_init__(self) -> None:
        names.check(self.archive)
        folder("the file of a catalogue", self.file)


class Prune(Common, frozen=True, kw_only=True, tag="prune"):
    """Delete the archives of a client that no rule keeps, and make room."""

    repository: Repository
    client: Client
    policy: Policy
    keep: Keep
    proof: str | None = None
    """The archive that the backup before has made: without it nothing is deleted."""
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.proof is not None:
            names.check(self.proof)


class Check(Common, frozen=True, kw_only=True, tag="check"):
    """Look whether a repository, or one archive, is sound."""

    repository: Repository
    archive: str | None = None
    data: bool = False
    """Read the content of all files, too."""

    def __post_init__(self) -> None:
        if self.archive is not None:
            names.check(self.archive)


class Restore(Common, frozen=True, kw_only=True, tag="restore"):
    """Bring back an archive, or some of it, into a folder that is new or empty."""

    repository: Repository
    archive: str
    paths: list[str] = []
    """As the catalogue has them; [] is all."""
    client: Client | None = None
    """Where to; None: onto this machine."""
    folder: str
    mode: Mode = Mode.PULL
    """PULL: we read the repository, and the client only unpacks."""
    dry_run: bool = False

    def __post_init__(self) -> None:
        names.check(self.archive)
        folder("the folder to restore into", self.folder)
        for path in self.paths:
            line("a path to restore", path)


class PrepareClient(Common, frozen=True, kw_only=True, tag="client"):
    """Look whether a client can be reached, and has what is needed."""

    client: Client
    mode: Mode = Mode.PUSH


class PrepareRepository(Common, frozen=True, kw_only=True, tag="repository"):
    """Make a repository, if there is none yet."""

    repository: Repository


class Survey(Common, frozen=True, kw_only=True, tag="survey"):
    """Say which archives a repository has, and how much it takes."""

    repository: Repository


class FetchHostKeys(Common, frozen=True, kw_only=True, tag="host keys"):
    """Fetch the keys by which a machine is known, for a person to confirm."""

    host: str
    port: int = 22

    def __post_init__(self) -> None:
        host("a machine", self.host)
        port(self.port)


Task = (
    BackUp
    | Catalogue
    | Prune
    | Check
    | Restore
    | PrepareClient
    | PrepareRepository
    | Survey
    | FetchHostKeys
)


class Sizes(Struct, frozen=True, kw_only=True):
    """Bytes, as Borg counts them."""

    original: int = 0
    compressed: int = 0
    deduplicated: int = 0


class HostKey(Struct, frozen=True):
    """A key by which a machine is known."""

    kind: str
    """``ssh-ed25519``, ..."""
    fingerprint: str
    """``SHA256:...``, as everybody shows it."""
    line: str
    """What goes into known_hosts once a person has confirmed it."""


class Archive(Struct, frozen=True, kw_only=True):
    """An archive, as a repository lists it."""

    name: str
    made: float
    """When it was begun; seconds since 1970."""


class Result(Struct, frozen=True, kw_only=True):
    """What came of a task; each fills in what it is about."""

    archive: str | None = None
    sizes: Sizes | None = None
    """Of the archive."""
    repository: Sizes | None = None
    """Of all archives together; deduplicated is what the repository takes."""
    files: int = 0
    """How many were backed up, restored or listed."""
    warnings: list[str] = []
    """What Borg, or a hook, warned of; the first thousand."""
    pruned: list[str] = []
    """Archives that were deleted, or would be."""
    kept: list[str] = []
    archives: list[Archive] = []
    version: str = ""
    """Borg's on the client."""
    made: bool = False
    """Whether the repository was made just now."""
    encryption: str = ""
    """How the repository is encrypted, in Borg's word."""
    host_keys: list[HostKey] = []
    plan: list[str] = []
    """What a dry run would restore: the first thousand."""
    notes: list[str] = []
    """What else a person should know: why nothing was pruned, for example."""
