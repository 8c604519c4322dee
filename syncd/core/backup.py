"""What is asked of a source of backups, and what comes of it."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from syncd.core.vault import Pin, Summary


class Wanted(Struct, frozen=True, kw_only=True):
    """What to back up."""

    databases: list[Any] | None = None
    """Names, or objects of a name and what of it; None: everything."""
    variables: dict[str, Any] = {}
    """What the asker gave besides; a source refuses what it does not know."""


class Restoring(Struct, frozen=True, kw_only=True):
    """What to restore."""

    databases: list[Any] | None = None
    """None: all that the vault lists. [] is nothing."""
    names: dict[str, str] = {}
    """Databases that are to be called otherwise."""
    paths: list[str] = []
    """Only what lies below these, where the source has paths."""
    variables: dict[str, Any] = {}
    delete: bool = False
    """Delete what is there and not in the vault, too."""
    dry_run: bool = False
    force: bool = False
    """Restore what there is, even if some of it is damaged."""


class Report(Struct, frozen=True, kw_only=True):
    """What came of it."""

    databases: list[str] = []
    """What a backup holds, or a restore restored."""
    origin: dict[str, Any] = {}
    """For the vault's summary: kind, versions, positions, consistency."""
    torn: list[str] = []
    """What kept changing while it was read."""
    failed: dict[str, str] = {}
    """What could not be done, and why; any makes the job fail."""
    changed: dict[str, int] = {}
    """Counts by deed: created, replaced, deleted, unchanged, bytes."""
    plan: list[str] = []
    """A dry run's deeds, for people: the first thousand."""
    exit_code: int | None = None


class Health(Struct, frozen=True):
    """Whether a source could be backed up now."""

    reachable: bool
    detail: str = ""
    figures: dict[str, float] = {}


class Sounded(Struct, frozen=True):
    """How a source was when it was asked last."""

    health: Health
    at: float
    """When it answered; seconds since 1970."""


class BackupRequest(Struct, frozen=True, kw_only=True):
    """A backup somebody asks for."""

    databases: list[Any] | None = None
    """None: all of the source."""
    variables: dict[str, Any] = {}
    pin: Pin | None = None
    prefix: str = ""
    """Put before the vault's name."""
    folder: str = ""
    """Below the store's folder for vaults kept elsewhere; such are never evicted."""
    flags: dict[str, bool] = {}
    """A dialect's own marks, kept with the vault and given back."""
    derived: list[str] = []
    """The variables that nobody gave: they were worked out when it was asked for."""
    source: str = "default"
    priority: int = 0
    timeout: float | None = None


class RestoreRequest(Struct, frozen=True, kw_only=True):
    """A restore somebody asks for."""

    vault: str | None
    """None: the source restores by itself, from no vault."""
    databases: list[Any] | None = None
    names: dict[str, str] = {}
    paths: list[str] = []
    variables: dict[str, Any] = {}
    folder: str = ""
    delete: bool = False
    dry_run: bool = False
    force: bool = False
    """Restore even from a vault that failed."""
    source: str = "default"
    priority: int = 0
    timeout: float | None = None


def lasting(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is the same whenever the same is asked for, of a job's ``asked``.

    Left out are since when a pin holds, and variables that were worked out.
    """
    said = dict(asked)
    derived = said.pop("derived", [])
    if variables := said.get("variables"):
        said["variables"] = {
            name: value for name, value in variables.items() if name not in derived
        }
    if pin := said.get("pin"):
        said["pin"] = {name: value for name, value in pin.items() if name != "since"}
    return said


class VaultView(Struct, frozen=True, kw_only=True):
    """A vault as the catalogue knows it; one whose backup runs is not among them."""

    summary: Summary
    pin: Pin | None = None
    """One that has not expired."""
    folder: str = ""
    flags: dict[str, bool] = {}
    canceled: bool = False
    verified: float | None = None
    """When all of it was last read again and found sound; seconds since 1970."""
    damaged: list[str] = []
    """What the last verification found."""
    proven: float | None = None
    """When it was last restored in a drill."""
    size: int = 0
    """Bytes of its folder."""

    @property
    def valid(self) -> bool:
        """Tell whether it can be restored from."""
        return not (self.summary.failed or self.canceled or self.damaged)


class DiskRoom(Struct, frozen=True):
    """The disk of a vault store."""

    size: int
    """Bytes that the store takes."""
    free: int
    total: int
    free_inodes: int
    total_inodes: int
    used_inodes: int
