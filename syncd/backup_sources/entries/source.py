"""Backs up the entries of this syncd; what is restored replicates like any change."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from syncd.backup_sources.contract import Around, Storage, Tell
from syncd.backup_sources.entries.opening import opened
from syncd.backup_sources.entries.reading import Broken, Entry
from syncd.backup_sources.entries.tally import Tally
from syncd.core.backup import Health, Report, Restoring, Wanted
from syncd.errors import BadRequest, ConfigError, NotFound, StorageError
from syncd.vaults.contract import Staging, Vault

KIND = "entries"

_MOST_TOLD = 1000


class Entries:
    """See contract.Source; its databases are entries."""

    def __init__(self, entries: Mapping[str, Storage]) -> None:
        self._entries = entries

    @classmethod
    def create(cls, options: Mapping[str, Any], around: Around) -> Self:
        """Return the source; raise ConfigError if an entry it names is not there."""
        chosen = options["entries"]
        if chosen is None:
            return cls(around.entries)
        for name in chosen:
            if name not in around.entries:
                known = ", ".join(around.entries) or "none"
                raise ConfigError(f"there is no entry {name!r}; known: {known}")
        return cls({name: around.entries[name] for name in chosen})

    async def databases(self) -> list[str]:
        """Return the names of the entries."""
        return list(self._entries)

    async def back_up(self, wanted: Wanted, into: Staging, tell: Tell) -> Report:
        """Read entries into the staging, each file whole as it was at one moment."""
        _refuse_variables(wanted.variables)
        names = self._names(wanted.databases)
        tally = Tally(tell.progress, "reading")
        torn: list[str] = []
        failed: dict[str, str] = {}
        left_alone = 0
        for name in names:
            try:
                async with opened(self._entries[name]) as driver:
                    entry = Entry(name, driver, into, tally)
                    await entry.read()
                    left_alone += driver.left_alone()
            except Broken as broken:
                raise broken.error from None
            except (StorageError, ConfigError) as error:
                failed[name] = str(error)
                tell.line(f"{name}: {error}")
                continue
            tally.tell()
            torn += entry.torn
            failed |= entry.failed
            _tell(name, entry, tell)
        return Report(
            databases=names,
            origin={"kind": KIND, "left_alone": left_alone},
            torn=torn,
            failed=failed,
        )

    async def listed(self, vault: Vault) -> Sequence[str]:
        """Return the entries that are in a vault."""
        return vault.summary().listed

    async def restore(self, wanted: Restoring, vault: Vault, tell: Tell) -> Report:
        """Write what is wanted to the entries, or say what would be written."""
        # Backups, which are many, do without.
        from syncd.backup_sources.entries.restoring import restore  # noqa: PLC0415

        _refuse_variables(wanted.variables)
        return await restore(self._entries, wanted, vault, tell)

    async def evicted(self, vault: Vault, tell: Tell) -> None:
        """Do nothing: entries keep nothing about vaults."""

    async def health(self) -> Health:
        """Say which entries are there; with any of them, a backup is worth it."""
        missing = []
        for name, storage in self._entries.items():
            try:
                async with opened(storage):
                    pass
            except (StorageError, ConfigError) as error:
                missing.append(f"{name}: {error}")
        return Health(
            reachable=len(missing) < len(self._entries),
            detail="\n".join(missing),
            figures={"entries": len(self._entries), "missing": len(missing)},
        )

    def _names(self, databases: Sequence[Any] | None) -> list[str]:
        if databases is None:
            return list(self._entries)
        if not isinstance(databases, list | tuple) or not databases:
            raise BadRequest("no entries are named; name some, or leave them out")
        for name in databases:
            if not isinstance(name, str):
                raise BadRequest(f"not the name of an entry: {name!r}")
            if name not in self._entries:
                known = ", ".join(self._entries) or "none"
                raise NotFound(f"there is no entry {name!r}; known: {known}")
        return list(dict.fromkeys(databases))


def _refuse_variables(variables: Mapping[str, Any]) -> None:
    if variables:
        name = sorted(variables)[0]
        raise BadRequest(f"entries take no variables; leave {name!r} out")


def _tell(name: str, entry: Entry, tell: Tell) -> None:
    for path, why in list(entry.failed.items())[:_MOST_TOLD]:
        tell.line(f"cannot be read: {path}: {why}")
    for path in entry.torn[:_MOST_TOLD]:
        tell.line(f"kept changing while it was read: {path}")
    failed, torn = len(entry.failed), len(entry.torn)
    tell.line(f"{name}: {failed} could not be read, {torn} kept changing")
