"""Backs up whatever a command can write into a folder, and another can read again."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

from syncd.backup_sources.command import arguments
from syncd.backup_sources.command.environment import environment
from syncd.backup_sources.command.output import Output
from syncd.backup_sources.command.running import Ended, run
from syncd.backup_sources.command.template import (
    DATABASES,
    FOLDER,
    MAP,
    parse,
)
from syncd.backup_sources.command.watching import watched
from syncd.backup_sources.contract import Around, Tell
from syncd.core.backup import Health, Report, Restoring, Wanted
from syncd.errors import BadRequest, ConfigError, NotFound, StorageError
from syncd.vaults.contract import Staging, Vault

COMMAND = "command"
"""Under this name a report tells what went wrong with the command itself."""

MOST_LISTED = 16 << 20
"""Bytes that a command which lists databases may print."""

_HIDDEN = ["***"]
_DEEDS = ("backup", "restore", "list", "evict", "terminate")

Values = Mapping[str, Sequence[str]]


class Command:
    """See contract.Source."""

    def __init__(self, options: Mapping[str, Any], around: Around) -> None:
        self._options = options
        self._scratch = around.scratch
        try:
            self._declared = arguments.declared(options["variables"])
            self._templates = {
                deed: parse(options[deed], self._declared)
                for deed in _DEEDS
                if options[deed]
            }
        except ValueError as error:
            raise ConfigError(f"a command of this source {error}") from None
        self._environment = environment(os.environ, options["environment"])

    @classmethod
    def create(cls, options: Mapping[str, Any], around: Around) -> Self:
        """Return the source; raise ConfigError for templates that make no sense."""
        return cls(options, around)

    async def databases(self) -> list[str]:
        """Return nothing: what a command can back up, only the command knows."""
        return []

    async def back_up(self, wanted: Wanted, into: Staging, tell: Tell) -> Report:
        """Have the command write what is wanted into the staging's folder."""
        names = self._names(wanted.databases, "backup")
        folder = into.folder.resolve()
        values = {
            FOLDER: [str(folder)],
            DATABASES: arguments.of_databases(self._key, wanted.databases),
            **arguments.variables(self._declared, wanted.variables),
        }
        ended, said = await self._work("backup", values, folder, tell)
        failed = _trouble(ended, said, self._options["timeout"])
        if not failed and not self._options["allow_empty"]:
            failed = await asyncio.to_thread(_nothing, folder)
        report = Report(
            databases=names or [],
            origin={"kind": COMMAND},
            failed={COMMAND: failed} if failed else {},
            exit_code=ended.code,
        )
        return report if failed else await self._with_list(report, folder, tell)

    async def listed(self, vault: Vault) -> Sequence[str]:
        """Return what the command for that prints; else what was asked for."""
        if "list" not in self._templates:
            summary = await asyncio.to_thread(vault.summary)
            return summary.databases or []
        async with self._lent(vault) as folder:
            return await self._list(folder)

    async def restore(self, wanted: Restoring, vault: Vault, tell: Tell) -> Report:
        """Have the command bring back what is wanted."""
        names = self._names_to_restore(wanted)
        values = {
            DATABASES: arguments.of_databases(self._key, wanted.databases),
            MAP: arguments.of_map(self._options["map_key"], wanted.names),
            **arguments.variables(self._declared, wanted.variables),
        }
        await self._check_listed(names, wanted, vault)
        if names == []:
            return Report(changed={})
        if wanted.dry_run:
            values[FOLDER] = [str(self._scratch / vault.name)]
            return Report(plan=[f"run: {self._shown('restore', values)}"])
        async with self._lent(vault, whole=not wanted.force) as folder:
            values[FOLDER] = [str(folder)]
            ended, said = await self._work("restore", values, folder, tell)
        failed = _trouble(ended, said, self._options["timeout"], wrote=False)
        return Report(
            databases=names or [],
            origin={"kind": COMMAND},
            failed={COMMAND: failed} if failed else {},
            exit_code=ended.code,
        )

    async def evicted(self, vault: Vault, tell: Tell) -> None:
        """Tell the command for that; raise StorageError if it fails."""
        if "evict" not in self._templates:
            return
        # It must go, however damaged it is and however full the disk.
        async with self._lent(vault, whole=False, link=True) as folder:
            ended, said = await self._run("evict", {FOLDER: [str(folder)]}, tell)
        if failed := _trouble(ended, said, self._quick, wrote=False):
            raise StorageError(f"the evict command {failed}")

    async def health(self) -> Health:
        """Say whether the commands' programs are there."""
        path = self._environment.get("PATH", os.defpath)
        missing = [
            str(template.words[0][0])
            for template in self._templates.values()
            if shutil.which(str(template.words[0][0]), path=path) is None
        ]
        if missing:
            return Health(reachable=False, detail=f"there is no {missing[0]} to run")
        return Health(reachable=True)

    @property
    def _key(self) -> str:
        key: str = self._options["databases_key"]
        return key

    @property
    def _quick(self) -> float:
        seconds: float = self._options["quick_timeout"]
        return seconds

    def _names(self, databases: Sequence[Any] | None, deed: str) -> list[str] | None:
        """Return the databases' names, None for all; raise BadRequest."""
        if deed not in self._templates:
            raise BadRequest(f"this source has no {deed} command; add one to it")
        if databases is None:
            return None
        names = arguments.checked(databases)
        if deed == "backup" and not names:
            raise BadRequest("no databases are named; name some, or leave them out")
        if names and not self._templates[deed].mentions(DATABASES):
            raise BadRequest(
                f"the {deed} command of this source takes no databases; ask for all, or"
                f" add %({DATABASES})s to it"
            )
        return names

    def _names_to_restore(self, wanted: Restoring) -> list[str] | None:
        names = self._names(wanted.databases, "restore")
        if wanted.paths or wanted.delete:
            raise BadRequest(
                "a command restores as it does: paths and delete cannot be asked for"
            )
        if names is None and not self._options["full_restore"]:
            raise BadRequest(
                "all of a backup is not to be restored at once (full_restore); name"
                " databases"
            )
        if wanted.names and not self._templates["restore"].mentions(MAP):
            raise BadRequest(
                "the restore command of this source takes no new names; add"
                f" %({MAP})s to it"
            )
        strangers = wanted.names.keys() - {*names} if names is not None else set()
        if strangers:
            raise BadRequest(
                f"{sorted(strangers)[0]!r} is to be called otherwise, but not restored"
            )
        return names

    async def _check_listed(
        self, names: list[str] | None, wanted: Restoring, vault: Vault
    ) -> None:
        asked = [*(names or []), *wanted.names]
        if not asked or "list" not in self._templates:
            return
        there = await self.listed(vault)
        for name in asked:
            if name not in there:
                known = ", ".join(there[:20]) or "none"
                raise NotFound(f"{vault.name} holds no {name}; it holds: {known}")

    async def _with_list(self, report: Report, folder: Path, tell: Tell) -> Report:
        """Return the report with what the list command finds in a new backup.

        One that cannot be listed is still a backup: that is told, in its origin too.
        """
        if "list" not in self._templates:
            return report
        try:
            databases = await self._list(folder)
        except StorageError as error:
            tell.line(str(error))
            origin = {**report.origin, "unlisted": str(error)}
            return Report(
                databases=report.databases, origin=origin, exit_code=report.exit_code
            )
        return Report(
            databases=databases, origin=report.origin, exit_code=report.exit_code
        )

    async def _list(self, folder: Path) -> list[str]:
        printed = bytearray()
        errors = Output(lambda _: None)

        def take(data: bytes) -> None:
            if len(printed) <= MOST_LISTED:
                printed.extend(data)

        ended = await run(
            self._templates["list"].expand({FOLDER: [str(folder)]}),
            take,
            take_errors=errors.feed,
            environment=self._environment,
            limit=self._quick,
            grace=self._options["grace"],
        )
        errors.end()
        failed = _trouble(ended, errors, self._quick, wrote=False)
        if not failed and len(printed) > MOST_LISTED:
            failed = f"printed more than {MOST_LISTED} bytes"
        if failed:
            raise StorageError(f"the list command {failed}")
        lines = printed.decode(errors="replace").splitlines()
        return [line.strip() for line in lines if line.strip()]

    async def _work(
        self, deed: str, values: Values, folder: Path, tell: Tell
    ) -> tuple[Ended, Output]:
        """Run a command that may take long, and can be asked to end."""

        async def plea() -> None:
            await self._run("terminate", {FOLDER: [str(folder)]}, tell)

        tell.line(f"runs: {self._shown(deed, values)}")
        output = Output(tell.line)
        grows = deed == "backup"
        async with watched(folder, tell.progress) if grows else nullcontext():
            ended = await run(
                self._templates[deed].expand(values),
                output.feed,
                environment=self._environment,
                folder=folder,
                limit=self._options["timeout"],
                grace=self._options["grace"],
                plea=plea if "terminate" in self._templates else None,
            )
        output.end()
        _tell_end(ended, tell)
        return ended, output

    async def _run(self, deed: str, values: Values, tell: Tell) -> tuple[Ended, Output]:
        """Run a command that must be quick."""
        tell.line(f"runs: {self._shown(deed, values)}")
        output = Output(tell.line)
        ended = await run(
            self._templates[deed].expand(values),
            output.feed,
            environment=self._environment,
            limit=self._quick,
            grace=self._options["grace"],
        )
        output.end()
        _tell_end(ended, tell)
        return ended, output

    def _shown(self, deed: str, values: Values) -> str:
        """Return a command for people; what a variable says may be a secret."""
        hidden = {
            name: [*words[:1], *_HIDDEN] if words and name in self._declared else words
            for name, words in values.items()
        }
        return " ".join(self._templates[deed].expand(hidden))

    @asynccontextmanager
    async def _lent(
        self, vault: Vault, *, whole: bool = True, link: bool = False
    ) -> AsyncIterator[Path]:
        context = vault.folder(self._scratch, whole=whole, link=link)
        folder = await asyncio.to_thread(context.__enter__)
        try:
            yield folder.resolve()
        except BaseException as error:
            await asyncio.to_thread(
                context.__exit__, type(error), error, error.__traceback__
            )
            raise
        await asyncio.to_thread(context.__exit__, None, None, None)


def _trouble(
    ended: Ended, said: Output, timeout: float | None, *, wrote: bool = True
) -> str:
    """Return why it failed; empty if it did not.

    Its last words follow on lines of their own: not everybody is told these.
    """
    words = "\n".join([":", *said.last()]) if said.last() else ""
    if ended.late:
        return f"took longer than {timeout:g} s, and was ended{words}"
    if ended.code:
        how = f"by signal {-ended.code}" if ended.code < 0 else f"with {ended.code}"
        return f"ended {how}{words}"
    if wrote and ended.writing:
        return (
            f"ended, and left {', '.join(ended.writing)} behind, still writing; let it"
            " wait for what it starts"
        )
    return ""


def _nothing(folder: Path) -> str:
    """Return why a backup without anything in it has failed; empty if there is."""
    for _, _, files in os.walk(folder):
        if files:
            return ""
    return "ended well, but wrote nothing; allow_empty takes that for a backup"


def _tell_end(ended: Ended, tell: Tell) -> None:
    if ended.left:
        tell.line(f"{ended.left} processes that it left behind were ended")
    tell.line(f"ended with {ended.code}")
