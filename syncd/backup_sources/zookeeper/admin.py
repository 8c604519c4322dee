"""The admin servers of an ensemble's members: their snapshots, over HTTP.

ZooKeeper 3.9 and newer gives a snapshot of a running server, and takes one.
"""

import asyncio
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from msgspec import Struct

from syncd.backup_sources.zookeeper.words import context
from syncd.errors import StorageError

LIMIT = 60.0
"""Seconds that a server may be silent; before a snapshot it writes it down."""

_PORTION = 1 << 20
_REMEDIES = {
    401: "it does not know the login; correct admin_login",
    403: "the login may not do that: it takes all rights on /, as the super user has",
    404: "this is not the address of an admin server, or its ZooKeeper is older",
    429: "it was asked too soon again; lower its admin.rateLimiterIntervalInMS",
}


class Member(Struct, frozen=True):
    """What the admin server of a member says of it."""

    url: str
    role: str
    """leader, follower, observer or standalone."""
    zxid: int


class Admin:
    """The admin servers that are configured. All raise StorageError."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.urls: Sequence[str] = options["admin"]
        login, tls = options["admin_login"], options["tls"]
        self._login = f"{login['scheme']} {login['credential']}" if login else ""
        self._context = None if tls is None else context(tls)

    async def best(self) -> Member:
        """Return the member that leads, else the one that knows most."""
        asked = await asyncio.gather(
            *(asyncio.to_thread(self._member, url) for url in self.urls),
            return_exceptions=True,
        )
        found = [one for one in asked if isinstance(one, Member)]
        if not found:
            trouble = next(one for one in asked if isinstance(one, BaseException))
            if isinstance(trouble, StorageError):
                raise StorageError(f"no admin server tells how it is: {trouble}")
            raise trouble
        return max(
            found, key=lambda one: (one.role in ("leader", "standalone"), one.zxid)
        )

    async def snapshot(self, url: str, folder: Path) -> tuple[Path, int]:
        """Bring a member's snapshot into a folder.

        Return its file, and the transaction at which it was begun.
        """
        return await asyncio.to_thread(self._snapshot, url, folder)

    async def restore(self, url: str, snapshot: Path) -> None:
        """Have a member take a snapshot in place of all that it has."""
        await asyncio.to_thread(self._restore, url, snapshot)

    def _member(self, url: str) -> Member:
        said = self._asked(url, "GET", "srvr", json.load)
        stats = said.get("server_stats", {})
        zxid = int(stats.get("last_processed_zxid", 0))
        return Member(url, str(stats.get("server_state", "")), zxid)

    def _snapshot(self, url: str, folder: Path) -> tuple[Path, int]:
        def taken(answer: HTTPResponse) -> tuple[Path, int]:
            zxid = _zxid(url, answer.getheader("last_zxid") or "0")
            path = folder / f"snapshot.{zxid:x}"
            with path.open("wb") as file:
                shutil.copyfileobj(answer, file, _PORTION)
                size = file.tell()
            if str(size) != (said := answer.getheader("snapshot_size") or str(size)):
                raise StorageError(f"{url} broke off after {size} of {said} bytes")
            return path, zxid

        found: tuple[Path, int] = self._asked(
            url, "GET", "snapshot?streaming=true", taken
        )
        return found

    def _restore(self, url: str, snapshot: Path) -> None:
        with snapshot.open("rb") as file:
            self._asked(url, "POST", "restore", lambda answer: answer.read(), file)

    def _asked(
        self,
        url: str,
        method: str,
        command: str,
        take: Callable[[HTTPResponse], Any],
        body: BinaryIO | None = None,
    ) -> Any:
        parts = urlsplit(url)
        headers = {"Authorization": self._login} if self._login else {}
        if body is not None:
            headers["Content-Type"] = "application/octet-stream"
        path = f"{parts.path.rstrip('/') or '/commands'}/{command}"
        try:
            with closing(self._connection(parts.scheme, parts.netloc)) as link:
                link.request(method, path, body, headers)
                answer = link.getresponse()
                if answer.status != 200:
                    raise StorageError(f"{url}: {_refusal(answer)}")
                return take(answer)
        except (OSError, HTTPException, ValueError) as error:
            raise StorageError(f"{url}: {error or type(error).__name__}") from None

    def _connection(self, scheme: str, place: str) -> HTTPConnection:
        if scheme == "https":
            return HTTPSConnection(place, timeout=LIMIT, context=self._context)
        return HTTPConnection(place, timeout=LIMIT)


def _zxid(url: str, said: str) -> int:
    try:
        return int(said, 16)
    except ValueError:
        raise StorageError(
            f"{url} does not say of which transaction its snapshot is: {said!r}"
        ) from None


def _refusal(answer: HTTPResponse) -> str:
    """Return why a server does not do what it was asked, with what helps."""
    try:
        said = json.load(answer)["error"] or answer.reason
    except (ValueError, KeyError, TypeError):
        said = answer.reason
    remedy = _REMEDIES.get(answer.status)
    return f"{said} ({answer.status}){f': {remedy}' if remedy else ''}"
