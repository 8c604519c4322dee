"""Backs up what this syncd knows of itself; of that, the rules can be brought back.

Entries and files are what the storages say, and logins end by themselves: a restore
leaves them alone, and says so. Passwords, tokens and sessions' ids are not in it.
"""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Raw

from syncd import clock
from syncd.backup_sources.contract import Around, Tell
from syncd.backup_sources.couchdb.comparing import best
from syncd.backup_sources.couchdb.holding import About, Held, Keeping, Record
from syncd.core import path as paths
from syncd.core.backup import Health, Report, Restoring, Wanted
from syncd.errors import BadRequest, NotFound, StorageError
from syncd.vaults.contract import Staging, Vault

KIND = "records"
RULES = "rules"
"""The id of the document that can be restored."""
KNOWN = frozenset({"skip", "undo", "white_list", "missing"})
"""Variables that other sources of documents know, too."""

PATIENCE = 60.0
"""Seconds to wait for the index."""

Docs = Iterator[tuple[str, dict[str, Any]]]


class Records:
    """See contract.Source."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._index = Path(options["index"])
        self._rules = Path(options["rules"])
        self._names: dict[str, str] = dict(options["databases"])

    @classmethod
    def create(cls, options: Mapping[str, Any], around: Around) -> Self:
        """Return the source."""
        del around
        return cls(options)

    async def databases(self) -> list[str]:
        """Return the names of the sets of documents."""
        return list(self._names.values())

    async def back_up(self, wanted: Wanted, into: Staging, tell: Tell) -> Report:
        """Write the records as documents, all as of one moment."""
        _check(wanted.variables)
        names = self._chosen(wanted.databases, self._names.values())
        lacks = bool(wanted.variables.get("missing"))
        abouts = await asyncio.to_thread(self._write, names, into, lacks=lacks)
        for about in abouts:
            tell.line(f"{about.name}: {about.docs} documents")
        kept = {about.name: msgspec.to_builtins(about) for about in abouts}
        count = sum(about.docs for about in abouts)
        origin = {"kind": KIND, "databases": kept, "documents": count, "window_ms": 0}
        return Report(databases=names, origin=origin)

    async def listed(self, vault: Vault) -> Sequence[str]:
        """Return the sets of documents of a vault."""
        return (await asyncio.to_thread(Held, vault)).names

    async def restore(self, wanted: Restoring, vault: Vault, tell: Tell) -> Report:
        """Bring the rules back, or say that they would be."""
        _check(wanted.variables)
        if wanted.names or wanted.paths:
            raise BadRequest("records go where they came from; name databases only")
        held = await asyncio.to_thread(Held, vault)
        names = self._chosen(wanted.databases, held.names, some=False)
        system = self._names.get("system", "")
        skip = wanted.variables.get("skip", {}).get(system, [])
        changed = {"created": 0, "replaced": 0, "unchanged": 0, "skipped": 0}
        plan: list[str] = []
        for name in names:
            for record in await asyncio.to_thread(list, held.records(name)):
                text = _rules_of(record) if name == system else None
                if text is None or record.id in skip:
                    changed["skipped"] += 1
                    continue
                done = await asyncio.to_thread(self._put, text, dry_run=wanted.dry_run)
                changed[done] += 1
                plan += [f"{done}: {self._rules}"] if wanted.dry_run else []
        tell.line(f"{changed['skipped']} documents tell what is, and were left alone")
        return Report(
            databases=names, origin={"kind": KIND}, changed=changed, plan=plan
        )

    async def evicted(self, vault: Vault, tell: Tell) -> None:
        """Do nothing: a vault holds all that is known of it."""

    async def health(self) -> Health:
        """Say whether the index is there."""
        if await asyncio.to_thread(self._index.is_file):
            return Health(reachable=True)
        return Health(reachable=False, detail=f"there is no index {self._index}")

    # Writing the rules.

    def _put(self, text: str, *, dry_run: bool) -> str:
        """Have the rules' file be that text, and keep the one before beside it."""
        new, file = text.encode(), self._rules
        try:
            old = file.read_bytes() if file.exists() else None
            if old == new:
                return "unchanged"
            if not dry_run:
                if old is not None:
                    shutil.copy2(file, file.with_name(f"{file.name}.bak"))
                part = file.with_name(f".{file.name}.restored")
                with part.open("wb") as there:
                    there.write(new)
                    there.flush()
                    os.fsync(there.fileno())
                if old is not None:
                    shutil.copymode(file, part)
                part.replace(file)
        except OSError as error:
            raise StorageError(f"{file} cannot be written: {error.strerror}") from None
        return "created" if old is None else "replaced"

    # Reading.

    def _write(
        self, names: Sequence[str], into: Staging, *, lacks: bool
    ) -> list[About]:
        roles = {name: role for role, name in self._names.items()}
        makers: dict[str, Callable[[sqlite3.Connection], Docs]] = {
            "components": _components,
            "sessions": _sessions,
            "system": partial(self._system, lacks=lacks),
        }
        if not self._index.is_file():
            raise StorageError(f"there is no index {self._index}")
        abouts = []
        uri = f"{self._index.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE)) as db:
                db.execute("BEGIN")
                for name in names:
                    begun = clock.timestamp()
                    count = _kept(name, makers[roles[name]](db), into)
                    at = clock.timestamp()
                    about = About(name=name, begun=begun, moment=at, docs=count)
                    Keeping(name, into).end(about)
                    abouts.append(about)
        except sqlite3.Error as error:
            raise StorageError(f"{self._index} cannot be read: {error}") from None
        return abouts

    def _system(self, db: sqlite3.Connection, *, lacks: bool) -> Docs:
        for id_, email, role, disabled in db.execute(
            "SELECT id, email, role, disabled FROM users ORDER BY id"
        ):
            said = {"type": "user", "email": email, "role": role}
            yield f"user_{id_}", {**said, "disabled": bool(disabled)}
        try:
            text = self._rules.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            if lacks:
                return
            raise StorageError(f"{self._rules} cannot be read: {error}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(f"{self._rules} cannot be read: {error}") from None
        yield RULES, {"type": "rules", "text": text}

    def _chosen(
        self, said: list[Any] | None, known: Any, *, some: bool = True
    ) -> list[str]:
        if said is None:
            return list(known)
        if not isinstance(said, list) or not all(
            isinstance(one, str) and one for one in said
        ):
            raise BadRequest("databases are named by their names, as in [components]")
        if some and not said:
            raise BadRequest("no database is named; name one, or nothing at all")
        for name in said:
            if name not in [*known]:
                there = ", ".join(known) or "none"
                raise NotFound(f"there is no database {name!r}; there are: {there}")
        return list(dict.fromkeys(said))


def _kept(name: str, docs: Docs, into: Staging) -> int:
    keeping, count = Keeping(name, into), 0
    for id_, said in docs:
        doc = Raw(msgspec.json.encode({"_id": id_, **said}))
        keeping.add(id_, msgspec.json.encode(Record(id=id_, leaves=[doc])))
        count += 1
    keeping.flush()
    return count


def _components(db: sqlite3.Connection) -> Docs:
    names = {}
    for slot, name in db.execute("SELECT slot, name FROM entries WHERE configured"):
        names[slot] = name
        yield f"entry_{slot}", {"type": "entry", "name": name}
    ask = "SELECT path, size, owners, uptodate FROM files WHERE NOT deleted ORDER BY id"
    for path, size, owners, uptodate in db.execute(ask):
        said = {"type": "file", "filename": paths.readable(path), "size": size}
        sides = {"owners": owners, "uptodate": uptodate}
        listed = {
            side: [name for slot, name in names.items() if mask >> slot & 1]
            for side, mask in sides.items()
        }
        yield f"file_{paths.fid(path)}", {**said, **listed}


def _sessions(db: sqlite3.Connection) -> Docs:
    ask = (
        "SELECT email, sessions.created_at, expires_at FROM sessions"
        " JOIN users ON users.id = user_id ORDER BY 2"
    )
    for number, (email, begun, ends) in enumerate(db.execute(ask)):
        said = {"type": "session", "email": email, "begun": begun, "ends": ends}
        yield f"session_{number}", said


def _rules_of(record: Record) -> str | None:
    """Return the rules that a document holds; None if it is another."""
    if record.id != RULES:
        return None
    text = msgspec.json.decode(best(record)).get("text")
    if not isinstance(text, str):
        raise BadRequest("the document rules has no text in it")
    return text


def _check(variables: Mapping[str, Any]) -> None:
    if strangers := sorted(variables.keys() - KNOWN):
        raise BadRequest(f"there is no variable {strangers[0]!r} here")
