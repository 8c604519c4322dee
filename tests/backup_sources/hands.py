"""What the suite must know of a source: how people use what is backed up with it.

A new source joins by a Hand here and its name in conftest.py. Its hand brings
*two* databases that can be backed up (``databases``) and one that is there but
empty, to be restored into (``spare``); the source that it makes must be one that
allows all of the contract. ``content`` gives whatever makes two states of a database
comparable with ``==``.
"""

import base64
import hashlib
import os
import shlex
import sys
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from syncd.backup_sources.command.options import CommandOptions
from syncd.backup_sources.command.source import Command
from syncd.backup_sources.contract import Around, Source, Storage
from syncd.backup_sources.couchdb.options import CouchDBOptions
from syncd.backup_sources.couchdb.source import CouchDB
from syncd.backup_sources.entries.options import EntriesOptions
from syncd.backup_sources.entries.source import Entries
from syncd.backup_sources.zookeeper.options import ZooKeeperOptions
from syncd.backup_sources.zookeeper.source import ZooKeeper
from tests.acceptance.trees import tree
from tests.peers.couchdb import Couch
from tests.peers.zookeeper import Zoo


class Hand(Protocol):
    """A person at work on what a source backs up."""

    databases: tuple[str, str]
    spare: str
    plans: bool
    """Whether a dry run tells what would be done to each thing."""
    renames: bool
    """Whether a database can be restored under another name."""

    def source(self) -> Source:
        """Return a source made anew, as for every job."""
        ...

    def fill(self, database: str, words: str) -> None:
        """Have the database hold something that depends on the words alone."""
        ...

    def content(self, database: str) -> Any:
        """Return what it holds."""
        ...

    def empty(self, database: str) -> None:
        """Have the database hold nothing; it is still there."""
        ...

    def break_(self) -> None:
        """Have what is backed up be out of reach."""
        ...


def fill(folder: Path, words: str) -> None:
    """Put all sorts of things into a folder."""
    empty(folder)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "bare").mkdir()
    (folder / "deep" / "er" / "words").write_text(words)
    (folder / "words").write_text(words * 1000)
    (folder / "none").touch()
    (folder / "large").write_bytes(words.encode() * (3_000_000 // len(words)))
    (folder / "link").symlink_to("nowhere")
    (folder / f"é {words[0]}\n").write_text("odd")
    odd = os.fsencode(folder) + b"/\xff\xfe"
    os.close(os.open(odd, os.O_CREAT | os.O_WRONLY, 0o600))
    (folder / "words").chmod(0o640)
    for path in folder.rglob("*"):
        # Whole seconds: not every dump keeps more.
        if path.is_file() and not path.name.startswith(".syncd-"):
            os.utime(path, (10**9, 10**9 + len(words)))


def empty(folder: Path) -> None:
    """Take away all but what is syncd's own."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if ".syncd-" in str(path.relative_to(folder)):
            continue
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()


class EntriesHand:
    databases = ("A", "B")
    spare = "C d"
    plans = True
    renames = True

    def __init__(self, home: Path) -> None:
        self._scratch = home / "scratch"
        self._scratch.mkdir()
        self.roots = {name: home / name for name in (*self.databases, self.spare)}
        for name, root in self.roots.items():
            root.mkdir()
            (root / ".syncd-marker").write_text(f'{{"entry": "of {name}"}}')

    def storage(self, name: str) -> Storage:
        return Storage(
            driver="syncd.drivers.local_storage.storage:LocalStorage",
            options={"root": str(self.roots[name])},
            marker=f"of {name}",
        )

    def source(self) -> Source:
        options = EntriesOptions().model_dump()
        entries = {name: self.storage(name) for name in self.roots}
        return Entries.create(options, Around(scratch=self._scratch, entries=entries))

    def fill(self, database: str, words: str) -> None:
        fill(self.roots[database], words)

    def content(self, database: str) -> Any:
        return tree(self.roots[database], metadata=True)

    def empty(self, database: str) -> None:
        empty(self.roots[database])

    def break_(self) -> None:
        for root in self.roots.values():
            (root / ".syncd-marker").unlink()


DUMP = Path(__file__).with_name("dump.py")
"""A program like those that dump databases."""


class CommandHand:
    databases = ("alpha", "beta")
    spare = "gamma"
    plans = False
    renames = True

    def __init__(self, home: Path) -> None:
        self._home = home / "server"
        self._scratch = home / "scratch"
        self._scratch.mkdir()
        self.data = {name: self._home / name for name in (*self.databases, self.spare)}
        for folder in self.data.values():
            folder.mkdir(parents=True)

    def options(self, **more: Any) -> dict[str, Any]:
        run = " ".join(f'"{w}"' for w in (sys.executable, "-S", str(DUMP)))
        server = shlex.quote(str(self._home))
        options = {
            "backup": f"{run} backup {server} %(data_folder)s %(dbs)s %(mode)s",
            "restore": f"{run} restore {server} %(data_folder)s %(dbs)s %(dbmap)s",
            "list": f"{run} list {server} %(data_folder)s",
            "variables": ["mode"],
            **more,
        }
        return CommandOptions(**options).model_dump()

    def source(self) -> Source:
        return Command.create(self.options(), Around(scratch=self._scratch))

    def fill(self, database: str, words: str) -> None:
        fill(self.data[database], words)

    def content(self, database: str) -> Any:
        return tree(self.data[database], metadata=True)

    def empty(self, database: str) -> None:
        empty(self.data[database])

    def break_(self) -> None:
        self._home.rename(self._home.with_name("gone"))


class ZooKeeperHand:
    databases = ("alpha", "beta")
    spare = "gamma"
    plans = True
    renames = True

    def __init__(self, home: Path, zoo: Zoo) -> None:
        self._scratch = home / "scratch"
        self._keep = home / "keep"
        self._zoo = zoo
        self._hosts = zoo.hosts
        zoo.clear()
        with zoo.visited() as client:
            for name in (*self.databases, self.spare):
                client.create(f"/{name}")

    def source(self) -> Source:
        options = ZooKeeperOptions(hosts=self._hosts, patience=2.0).model_dump()
        around = Around(scratch=self._scratch, keep=self._keep)
        return ZooKeeper.create(options, around)

    def fill(self, database: str, words: str) -> None:
        self.empty(database)
        with self._zoo.visited() as client:
            for name, data in (
                ("words", words.encode() * 1000),
                ("deep/er/words", words.encode()),
                ("content", bytes(range(256)) + b"\r\n\r"),
                ("bare", None),
                (f"é {words[0]}", b""),
                ("queue/content", words.encode()),
            ):
                path = f"/{database}/{name}"
                client.ensure_path(path.rpartition("/")[0])
                # Not by create(), which makes an empty value of none.
                client.create(path, b"")
                client.set(path, data)
            client.create(f"/{database}/queue/n-", sequence=True)

    def content(self, database: str) -> Any:
        found = self._zoo.content(f"/{database}")
        return {path: node for path, node in found.items() if path != f"/{database}"}

    def empty(self, database: str) -> None:
        with self._zoo.visited() as client:
            for name in client.get_children(f"/{database}"):
                client.delete(f"/{database}/{name}", recursive=True)

    def break_(self) -> None:
        self._hosts = ["127.0.0.1:1"]


class CouchHand:
    databases = ("alpha", "beta")
    spare = "gamma"
    plans = True
    renames = True

    def __init__(self, home: Path, couch: Couch) -> None:
        self._scratch = home / "scratch"
        self._couch = couch
        self._url = couch.url
        couch.faults()
        couch.create(*self.databases, self.spare)

    def source(self) -> Source:
        options = CouchDBOptions(
            url=self._url, databases=[*self.databases], patience=0.5
        ).model_dump()
        return CouchDB.create(options, Around(scratch=self._scratch))

    def fill(self, database: str, words: str) -> None:
        self.empty(database)
        small = base64.b64encode(words.encode()).decode()
        large = base64.b64encode(words.encode() * 20_000).decode()
        for id_, more in (
            ("words", {"words": words * 1000}),
            ("deep/er", {"list": [1.0, 1, 10**20, None, {"a": words}]}),
            (f"é {words[0]}\n", {}),
            ("_design/some", {"views": {}, "words": words}),
            ("small", {"_attachments": {"of/it": _attachment(small)}}),
            ("large", {"_attachments": {"é": _attachment(large)}}),
        ):
            self._couch.put(database, id_, **more)
        for word in ("a", "b"):
            digest = hashlib.md5(f"{words}{word}".encode()).hexdigest()
            doc = {"_id": "torn", "_rev": f"1-{digest}", "word": word + words}
            self._couch.write(database, [doc], new_edits=False)

    def content(self, database: str) -> Any:
        return self._couch.docs(database)

    def empty(self, database: str) -> None:
        for id_ in self._couch.docs(database):
            while "error" not in self._couch.ask(
                "GET", f"{quote(database, safe='')}/{quote(id_, safe='')}"
            ):
                self._couch.delete(database, id_)

    def break_(self) -> None:
        self._url = "http://127.0.0.1:1"


def _attachment(data: str) -> dict[str, str]:
    return {"content_type": "text/plain", "data": data}
