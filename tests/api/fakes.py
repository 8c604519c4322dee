"""Rooms with names: they behave as the contracts say, in memory."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from syncd.api.events import News
from syncd.api.rooms import (
    ConflictView,
    Copied,
    CopySaid,
    DriverView,
    EntryDetails,
    EntryView,
    Explanation,
    FileState,
    FileView,
    HeldChanges,
    HeldFile,
    HeldView,
    HistoryView,
    Located,
    PassedOver,
    Rooms,
    RuleSaid,
    UndoneView,
    Unheard,
    VersionView,
)
from syncd.core import path as paths
from syncd.core.file import Alarm, Kind, Stamp
from syncd.core.keeping import Loss
from syncd.errors import BadRequest, Conflict, NotFound, StorageChanged, Unavailable

RULES = {
    "rules": [
        {"match": {"path": "/"}, "sync": ["A"]},
        {"match": {"path": "/backedup/", "mime": ["application/pdf"]}, "sync": ["B"]},
    ]
}


RULES_SCHEMA = {
    "type": "object",
    "properties": {"rules": {"type": "array", "items": {"$ref": "#/$defs/Rule"}}},
    "required": ["rules"],
    "additionalProperties": False,
    "$defs": {
        "Rule": {
            "type": "object",
            "properties": {
                "match": {
                    "type": "object",
                    "properties": {
                        "path": {"type": "string", "pattern": "^/"},
                        "mime": {"type": "array", "items": {"type": "string"}},
                    },
                    "additionalProperties": False,
                },
                "sync": {"type": "array", "items": {"enum": ["A", "B"]}},
            },
            "required": ["match"],
            "additionalProperties": False,
        }
    },
}


def a_file(path: str, content: bytes = b"", **more: Any) -> FileView:
    facts = {
        "fid": paths.fid(path),
        "filename": paths.readable(path),
        "size": len(content),
        "owners": ["A", "B"],
        "uptodate": ["A", "B"],
        "kind": Kind.FILE,
        "mtime": 1406628978.25,
        "state": FileState.UPTODATE,
    }
    return FileView(**{**facts, **more})


class MemoryFiles:
    """An index of a few files."""

    def __init__(self) -> None:
        self.known: dict[str, FileView] = {}
        self.contents: dict[str, bytes] = {}
        self.sources = ["A"]
        self.lost: list[ConflictView] = []

    def add(self, path: str, content: bytes = b"", **more: Any) -> str:
        view = a_file(path, content, **more)
        self.known[path] = view
        self.contents[path] = content
        return view.fid

    async def page(
        self,
        *,
        offset: int,
        limit: int,
        path: str | None,
        owner: str | None,
        state: str | None,
    ) -> tuple[int, list[FileView]]:
        if owner not in (None, "A", "B", "Žofie ☂"):
            raise BadRequest(f"owner: entry {owner} not found")
        found = [
            view
            for name, view in sorted(self.known.items())
            if (path is None or name == path or name.startswith(path + "/"))
            and (owner is None or owner in view.owners)
            and (state is None or view.state == state)
        ]
        return len(found), found[offset : offset + limit]

    async def file(self, fid: str) -> FileView:
        return self.known[self._path(fid)]

    async def conflicts(
        self, *, offset: int, limit: int
    ) -> tuple[int, list[ConflictView]]:
        return len(self.lost), self.lost[offset : offset + limit]

    async def explain(self, fid: str) -> Explanation:
        rule = RuleSaid(1, RULES["rules"][0])
        copy = CopySaid(
            entry="A",
            owner=True,
            uptodate=True,
            present=True,
            state="uptodate",
            because="rule 1 syncs it here",
        )
        return Explanation(file=await self.file(fid), rules=[rule], entries=[copy])

    async def locate(self, fid: str) -> Located:
        path = self._path(fid)
        if not self.sources:
            raise Unavailable("no entry that holds the file can be reached now")
        stamp = Stamp(size=len(self.contents[path]), mtime_ns=7)
        copies = [
            Copied(name, Path("/run") / name, path, stamp) for name in self.sources
        ]
        return Located(self.known[path], copies)

    def _path(self, fid: str) -> str:
        for path, view in self.known.items():
            if view.fid == fid:
                return path
        raise NotFound(f"file {fid} not found")


class MemoryConflicts:
    """Knows one dispute, between A and B."""

    def __init__(self, files: "MemoryFiles") -> None:
        self._files = files
        self.decided: list[tuple[str, str]] = []

    async def resolve(self, fid: str, keep: str) -> None:
        await self._files.file(fid)
        if keep not in ("A", "B", "Žofie ☂", "both"):
            raise BadRequest(f"keep: entry {keep} not found")
        if keep == "Žofie ☂":
            raise Conflict(f"entry {keep} holds no side of it; choose from A, B")
        self.decided.append((fid, keep))


class MemoryEntries:
    """Entries that start and stop at once."""

    def __init__(self) -> None:
        self.views = {
            name: EntryView(name, "local_storage", {"root": f"example/{name}"})
            for name in ("A", "B", "Žofie ☂")
        }
        self.running = dict.fromkeys(self.views, True)
        self.changes: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.waiting: dict[str, list[HeldFile]] = {}
        self.slow: asyncio.Event | None = None

    def list(self) -> Sequence[EntryView]:
        return [*self.views.values()]

    def get(self, name: str) -> EntryView:
        if name not in self.views:
            raise NotFound(f"entry {name} not found")
        return self.views[name]

    async def start(self, name: str) -> None:
        self.get(name)
        if self.running[name]:
            raise Conflict(f"entry {name} is already running")
        self.running[name] = True

    async def stop(self, name: str) -> None:
        self.get(name)
        if self.slow is not None:
            await self.slow.wait()
        if not self.running[name]:
            raise Conflict(f"entry {name} is already stopped")
        self.running[name] = False

    async def restart(self, name: str) -> None:
        self.get(name)
        self._must_run(name)

    def status(self, name: str) -> str:
        self.get(name)
        return "active" if self.running[name] else "stopped"

    async def stats(self, name: str) -> dict[str, float | str]:
        self.get(name)
        self._must_run(name)
        return {
            "age": 20.7,
            "cpu": 0.0,
            "create_time": 1406628957.07,
            "ctime": "0:00.19",
            "mem": 1.8,
            "mem_info1": "18M",
            "mem_info2": "707M",
            "started": 1406628957.37,
        }

    async def held(self, name: str, *, offset: int, limit: int) -> HeldView | None:
        self.get(name)
        if name not in self.waiting:
            return None
        some = self.waiting[name]
        changes = [HeldChanges(Alarm.DELETIONS, len(some), 1406628957.0)]
        return HeldView("why", changes, len(some), some[offset : offset + limit])

    async def approve(self, name: str) -> None:
        self.get(name)
        self.asked.append(("approve", name))

    async def restore(self, name: str) -> None:
        self.get(name)
        if name == "B":
            raise Conflict(f"nothing is held for entry {name}")
        self.asked.append(("restore", name))

    def details(self) -> Sequence[EntryDetails]:
        return [self._details(view) for view in self.views.values()]

    def _details(self, view: EntryView) -> EntryDetails:
        status = self.status(view.name)
        facts = {
            "name": view.name,
            "driver": view.driver,
            "status": status,
            "life": status,
            "last_walk": 1406628957.0,
            "files": 3,
            "bytes": 300,
        }
        return EntryDetails(**{**facts, **self.changes.get(view.name, {})})

    def _must_run(self, name: str) -> None:
        if not self.running[name]:
            raise Conflict(f"entry {name} is not running")


class MemoryRulebook:
    """Takes rules that name known entries."""

    def __init__(self) -> None:
        self.document: Any = RULES
        self.broken: Exception | None = None
        self.reloads = 0

    def shown(self) -> Any:
        return self.document

    async def put(self, document: Any) -> None:
        self._check(document)
        self.document = document

    async def reload(self) -> bool:
        if self.broken:
            raise self.broken
        self.reloads += 1
        return True

    async def plan(self, document: Any) -> Any:
        self._check(document)
        return {"entries": {"A": {"copy": {"files": 1, "bytes": 5}}}}

    def _check(self, document: Any) -> None:
        for fault in Draft202012Validator(RULES_SCHEMA).iter_errors(document):
            raise BadRequest(f"rules: {fault.message}")


class MemoryPast:
    """Keeps what it is told to keep, and remembers what was asked of it."""

    def __init__(self) -> None:
        self.kept: list[VersionView] = []
        self.unheard: list[Unheard] = []
        self.asked: list[tuple[Any, ...]] = []
        self.refusal: Exception | None = None

    def keep(self, path: str, at: float = 1406628978.5, **more: Any) -> VersionView:
        facts = {
            "fid": paths.fid(path),
            "filename": paths.readable(path),
            "version": str(int(at * 1e9)),
            "entry": "B",
            "at": at,
            "size": 3,
            "mtime": 1406628957.0,
            "kind": Kind.FILE,
            "why": Loss.REPLACED,
        }
        self.kept.append(VersionView(**{**facts, **more}))
        return self.kept[-1]

    async def history(self, fid: str) -> HistoryView:
        versions = [one for one in self.kept if one.fid == fid]
        if not versions:
            raise NotFound(f"file {fid} not found")
        return HistoryView(
            fid=fid,
            filename=versions[0].filename,
            versions=versions,
            unheard=self.unheard,
        )

    async def undo(
        self, fid: str, *, entry: str | None, version: str | None, at: float | None
    ) -> VersionView:
        self._check(entry)
        self.asked.append((fid, entry, version, at))
        if self.refusal is not None:
            raise self.refusal
        return (await self.history(fid)).versions[0]

    async def undo_below(
        self, path: str, *, entry: str | None, since: float | None, dry_run: bool
    ) -> UndoneView:
        self._check(entry)
        self.asked.append((path, entry, since, dry_run))
        if self.refusal is not None:
            raise self.refusal
        return UndoneView(
            dry_run=dry_run,
            files=len(self.kept),
            bytes=sum(one.size for one in self.kept),
            examples=self.kept,
            passed_over=[PassedOver("c", "it is a folder now")],
            unheard=self.unheard,
        )

    def _check(self, entry: str | None) -> None:
        if entry not in (None, "A", "B", "Žofie ☂"):
            raise BadRequest(f"entry: entry {entry} not found")


class Children:
    """Gives contents in small chunks; can be told to fail."""

    def __init__(self, files: MemoryFiles) -> None:
        self._files = files
        self.failing: dict[str, int] = {}
        """Entry -> bytes it gives before it fails."""
        self.short = 0
        """Bytes left out at the end."""
        self.extra = b""
        self.chunk = 1000
        self.asked: list[str] = []
        self.closed = 0
        self.given = 0

    async def read(
        self, socket: Path, path: str, stamp: Stamp, start: int, length: int | None
    ) -> AsyncGenerator[bytes, None]:
        entry = socket.name
        self.asked.append(entry)
        content = self._files.contents[path]
        end = len(content) if length is None else start + length
        content = content[start : end - self.short] + self.extra
        try:
            for at in range(0, len(content), self.chunk):
                if at >= self.failing.get(entry, end):
                    raise StorageChanged(f"{path} changed on {entry}")
                self.given += 1
                yield content[at : at + self.chunk]
        finally:
            self.closed += 1


class House:
    """All rooms, and hands on each."""

    def __init__(self) -> None:
        self.files = MemoryFiles()
        self.conflicts = MemoryConflicts(self.files)
        self.entries = MemoryEntries()
        self.rulebook = MemoryRulebook()
        self.past = MemoryPast()
        self.news = News(boot="boot")
        self.children = Children(self.files)
        self.rooms = Rooms(
            files=self.files,
            conflicts=self.conflicts,
            entries=self.entries,
            rulebook=self.rulebook,
            past=self.past,
            news=self.news,
            read=self.children.read,
            drivers=lambda: [
                DriverView("local_storage", "A folder.", {"type": "object"}),
                DriverView("memory", "Nothing lasts.", {"type": "object"}),
            ],
            version=lambda: "9.9",
            rules_schema=lambda: RULES_SCHEMA,
        )
