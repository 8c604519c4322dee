"""A source of backups that does what a file tells it to: good, slow, broken, wild."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from syncd.backup_sources.contract import Around, Tell
from syncd.core.backup import Health, Report, Restoring, Wanted
from syncd.core.job import Progress
from syncd.core.vault import Item
from syncd.errors import BadRequest, StorageError
from syncd.vaults.contract import Staging, Vault

FORKING = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""
"""Starts a process that is nobody's child any more and in a session of its own."""


class Scripted:
    """Reads ``control`` each time: ``{"files": {"db/a": "text"}, "hang": "back_up"}``.

    ``hang``, ``fail`` and ``bug`` name the call that does so; ``deaf`` hangs in a way
    that hears nothing; ``fork`` leaves a process behind, whose number goes there. It
    hangs when that is called for the ``after``th time (1), and says so in the log or,
    where there is none, in a file ``hanging`` beside ``control``.
    """

    def __init__(self, control: Path) -> None:
        self._control = control
        self._said: dict[str, Any] = json.loads(control.read_text())
        self._called = 0

    @classmethod
    def create(cls, options: Mapping[str, Any], around: Around) -> Self:
        return cls(Path(options["control"]))

    async def databases(self) -> list[str]:
        return sorted({path.split("/")[0] for path in self._files})

    async def back_up(self, wanted: Wanted, into: Staging, tell: Tell) -> Report:
        if wanted.variables:
            raise BadRequest(f"no variable {next(iter(wanted.variables))} is known")
        tell.line("reading; the password is hush")
        some = {
            path: text
            for path, text in self._files.items()
            if wanted.databases is None or path.split("/")[0] in wanted.databases
        }
        for number, (path, text) in enumerate(sorted(some.items()), 1):
            content = text.encode()
            item = Item(path=path, size=len(content), mtime_ns=1)
            await asyncio.to_thread(into.add, item, BytesIO(content))
            tell.progress(Progress(items=number, total_items=len(some)))
        await self._maybe("back_up", tell)
        return Report(databases=sorted({path.split("/")[0] for path in some}))

    async def listed(self, vault: Vault) -> Sequence[str]:
        await self._maybe("listed")
        return sorted({item.path.split("/")[0] for item in vault.items()})

    async def restore(self, wanted: Restoring, vault: Vault, tell: Tell) -> Report:
        await self._maybe("restore", tell)
        items = [item for item in vault.items() if item.kind == "file"]
        if wanted.dry_run:
            return Report(plan=[f"create {item.path}" for item in items])
        files = {}
        for item, file in vault.open(items):
            await self._maybe("restore an item", tell)
            files[item.path] = file.read().decode()
            self._control.write_text(json.dumps({**self._said, "files": files}))
        return Report(changed={"created": len(files)})

    async def evicted(self, vault: Vault, tell: Tell) -> None:
        tell.line(f"{vault.name} is going")
        await self._maybe("evicted", tell)

    async def health(self) -> Health:
        return Health(reachable=not self._said.get("away"), detail="it is away")

    @property
    def _files(self) -> dict[str, str]:
        return dict(self._said.get("files", {}))

    async def _maybe(self, call: str, tell: Tell | None = None) -> None:
        said = self._said
        if said.get("fork"):
            subprocess.run([sys.executable, "-c", FORKING, said["fork"]], check=True)
        if said.get("hang") == call:
            self._called += 1
            if self._called >= said.get("after", 1):
                self._say_hanging(tell)
                await asyncio.sleep(600)
        if said.get("deaf") == call:
            self._say_hanging(tell)
            await asyncio.sleep(0.5)
            time.sleep(600)
        if said.get("fail") == call:
            raise StorageError("it does not want to")
        if said.get("bug") == call:
            raise ZeroDivisionError

    def _say_hanging(self, tell: Tell | None) -> None:
        if tell is None:
            self._control.with_name("hanging").touch()
        else:
            tell.line("hanging")
