"""Requests to a CouchDB: with a login, time-outs, and patience."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import msgspec
from msgspec import Struct
from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest, HTTPResponse

from syncd import clock
from syncd.errors import StorageError, SyncdError
from syncd.text import printable

PIECE = 1 << 20
LARGEST = 1 << 40
"""Tornado's own bound cuts off without a word; ours comes before."""

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses of what may go well when it is asked again."""

UP = 10.0
"""Seconds to connect."""


class TooMuch(SyncdError):
    """An answer is larger than is held in memory; ask for less at once."""


class Told(Struct, frozen=True):
    """An answer that is no failure."""

    status: int
    body: bytes

    def read(self) -> Any:
        """Return the document; raise StorageError if it is none."""
        return self.read_as(Any)

    def read_as(self, kind: Any) -> Any:
        """Return the document as values of that kind; raise StorageError."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.DecodeError as error:
            raise StorageError(
                f"the server's answer makes no sense: {error}; is it a CouchDB?"
            ) from None


class Server:
    """One server; an async context manager."""

    def __init__(self, options: Mapping[str, Any], line: Callable[[str], None]) -> None:
        """Take the source's options, and where to say that something has to wait."""
        self._options = options
        self._line = line
        self._top = str(options["url"]).rstrip("/")

    async def __aenter__(self) -> Self:
        self._client = AsyncHTTPClient(
            force_instance=True,
            max_clients=int(self._options["parallel"]) + 1,
            max_body_size=LARGEST,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.close()

    async def ask(
        self,
        method: str,
        path: str,
        said: Any = None,
        *,
        fine: Sequence[int] = (),
        most: int | None = None,
        body: Path | None = None,
    ) -> Told:
        """Return the answer, after as many attempts as there is patience for.

        ``fine`` are statuses that tell something, ``most`` is how many bytes may come,
        ``body`` a file to send in place of ``said``. Raise StorageError; TooMuch.
        """
        kept = bytearray()
        much = False

        def take(piece: bytes) -> None:
            nonlocal much
            if most is not None and len(kept) + len(piece) > most:
                much = True
            else:
                kept.extend(piece)

        async def fetch() -> HTTPResponse:
            kept.clear()
            return await self._fetch(method, path, said, body, take)

        answer = await self._patiently(fetch, lambda: bytes(kept), path)
        if much:
            raise TooMuch(f"{path} answers more than {most} bytes")
        told = Told(answer.code, bytes(kept))
        if answer.code < 300 or answer.code in fine:
            return told
        raise StorageError(f"{self._place(path)}: {_why(told)}")

    async def save(self, path: str, file: Path) -> bool:
        """Put what is at a path into a file, and tell whether there is anything.

        Raise StorageError.
        """
        with file.open("wb") as there:

            def take(piece: bytes) -> None:
                there.write(piece)

            async def fetch() -> HTTPResponse:
                there.seek(0)
                there.truncate()
                return await self._fetch("GET", path, None, None, take)

            answer = await self._patiently(fetch, lambda: b"", path)
        if answer.code >= 300 and answer.code != 404:
            raise StorageError(f"{self._place(path)}: the server says {answer.code}")
        return answer.code != 404

    async def _fetch(
        self,
        method: str,
        path: str,
        said: Any,
        body: Path | None,
        take: Callable[[bytes], None],
    ) -> HTTPResponse:
        options = self._options
        headers = {"Accept": "application/json", "User-Agent": "syncd"}
        more: dict[str, Any] = {}
        if body is not None:
            size = await asyncio.to_thread(lambda: body.stat().st_size)
            headers["Content-Length"] = str(size)
            more["body_producer"] = _sending(body)
        elif said is not None:
            more["body"] = said if isinstance(said, bytes) else json.dumps(said)
        elif method in ("PUT", "POST"):
            more["body"] = b""
        if more:
            headers["Content-Type"] = "application/json"
        request = HTTPRequest(
            f"{self._top}/{path}",
            method=method,
            headers=headers,
            auth_username=options["user"] or None,
            auth_password=options["password"] or None,
            connect_timeout=min(UP, options["timeout"]),
            request_timeout=options["timeout"],
            follow_redirects=False,
            validate_cert=options["verify"],
            ca_certs=options["ca"],
            streaming_callback=take,
            **more,
        )
        return await self._client.fetch(request, raise_error=False)

    async def _patiently(
        self,
        fetch: Callable[[], Awaitable[HTTPResponse]],
        kept: Callable[[], bytes],
        path: str,
    ) -> HTTPResponse:
        """Return an answer that is not a passing failure; raise StorageError."""
        deadline = clock.monotonic() + self._options["patience"]
        pause = FIRST_PAUSE
        while True:
            try:
                answer = await fetch()
                trouble = ""
                if answer.code in PASSING:
                    trouble = _why(Told(answer.code, kept()))
                elif answer.code == 599:
                    trouble = printable(str(answer.error))
            except (HTTPError, OSError) as error:
                trouble = printable(str(error)) or type(error).__name__
            if not trouble:
                return answer
            if clock.monotonic() + pause > deadline:
                raise StorageError(f"{self._place(path)}: {trouble}")
            self._line(f"{self._place(path)}: {trouble}; trying again")
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _place(self, path: str) -> str:
        return f"{self._top}/{path.partition('?')[0]}"


def in_url(name: str) -> str:
    """Return a name, of a database or a document, as a part of an address."""
    return quote(name, safe="")


def _sending(body: Path) -> Callable[[Callable[[bytes], Awaitable[None]]], Any]:
    async def send(write: Callable[[bytes], Awaitable[None]]) -> None:
        with body.open("rb") as file:
            while piece := file.read(PIECE):
                await write(piece)

    return send


def _why(told: Told) -> str:
    """Return what a failure says, for people."""
    try:
        said = msgspec.json.decode(told.body)
        words = f"{said['error']}: {said['reason']}"
    except (msgspec.DecodeError, KeyError, TypeError):
        words = "no reason is given"
    return printable(f"the server says {told.status} ({words})"[:500])
