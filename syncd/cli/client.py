"""Asking the daemon over HTTP, and what its refusals mean for a command."""

import json
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import click
import httpx
from msgspec import Struct

from syncd import errors
from syncd.cli.options import PREFIX, ca_file, token, url

PATIENCE = httpx.Timeout(60, connect=5)
"""An answer may take a while (stopping an entry); a connection does not."""

REFUSALS: dict[int, type[errors.SyncdError]] = {
    403: errors.NotAllowed,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.TooLarge,
    429: errors.TooManyRequests,
    502: errors.StorageError,
    507: errors.StorageFull,
}
"""What a status means; otherwise 4xx: the request was wrong, 5xx: try later."""


class Answer(Struct, frozen=True):
    """What the daemon said: the text as it came, and what it means."""

    text: str
    document: Any


class Event(Struct, frozen=True):
    """Something that the daemon tells as it happens."""

    name: str
    document: Any
    id: str


class Client:
    """A connection to one daemon."""

    def __init__(
        self,
        url: str,
        token: tuple[str, str] | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """Raise BadRequest if the address cannot be one; nothing is asked yet."""
        self._url = url
        try:
            self._http = httpx.Client(
                base_url=url.rstrip("/"),
                timeout=PATIENCE,
                trust_env=False,
                auth=token,
                verify=_trusting(ca_file) if ca_file else True,
            )
        except httpx.InvalidURL as error:
            raise errors.BadRequest(f"not an address: {url!r} ({error})") from None
        if self._http.base_url.scheme not in ("http", "https"):
            raise errors.BadRequest(f"not an address: {url!r}; write http://HOST:PORT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, /, **query: str | bytes | int | None) -> Answer:
        """Return the answer; None is left out of the query, bytes go as they are."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path + ("?" + urlencode(given) if given else ""))

    def put(self, path: str, body: object = None) -> Answer:
        """Ask for a change; raise what the daemon's refusal means."""
        return self._ask("PUT", path, body)

    def post(self, path: str, body: object, key: str | None = None) -> Answer:
        """Ask a question that has a body; by the same key it is asked only once."""
        return self._ask("POST", path, body, key)

    def text(self, path: str) -> str:
        """Return an answer that is no document but plain text."""
        with self._telling():
            response = self._http.get(PREFIX + path)
        if not response.is_success:
            _understood(response)
        return response.text

    def events(self, path: str, last: str = "") -> Iterator[Event]:
        """Give server-sent events as they come, after the one that was heard last.

        Raise Unavailable when the daemon goes away.
        """
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
        with (
            self._telling(),
            self._http.stream("GET", PREFIX + path, headers=headers) as response,
        ):
            if not response.is_success:
                response.read()
                _understood(response)
            said: dict[str, str] = {}
            for line in response.iter_lines():
                if line:
                    name, _, value = line.partition(":")
                    said[name] = value.removeprefix(" ")
                elif "data" in said:
                    document = json.loads(said["data"])
                    yield Event(said.get("event", ""), document, said.get("id", ""))
                    said = {}

    def _ask(
        self, method: str, path: str, body: object = None, key: str | None = None
    ) -> Answer:
        headers = {"Idempotency-Key": key} if key else {}
        with self._telling():
            response = self._http.request(
                method, PREFIX + path, json=body, headers=headers
            )
        return _understood(response)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Have what goes wrong on the way raised as Unavailable."""
        try:
            yield
        except httpx.ConnectError as error:
            if why := _distrust(error):
                raise errors.Unavailable(
                    f"{self._url} is not trusted: {why}\n"
                    "name the certificates to trust by --ca-file or SYNCD_CA_FILE"
                ) from None
            raise errors.Unavailable(
                f"no daemon answers at {self._url}\n"
                "start one with `syncd run`, or say where it is by --url or SYNCD_URL"
            ) from None
        except httpx.TimeoutException:
            raise errors.Unavailable(f"{self._url} took too long to answer") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            words = f"cannot ask {self._url}: {error}"
            if self._http.base_url.scheme == "http":
                words += "\nif it speaks TLS, its address begins with https://"
            raise errors.Unavailable(words) from None


def _distrust(error: httpx.ConnectError) -> str:
    """Return what is wrong with the other side's certificate; empty: it is not that."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return ""


def raw(path: str) -> bytes:
    """Return a path from the command line as it is on the disk, UTF-8 or not."""
    return os.fsencode(path)


def client(context: click.Context | None = None) -> Client:
    """Return a connection to the daemon that the command line names."""
    return Client(url(context), token(context), ca_file(context))


def _trusting(file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:  # What is no certificate is one of these, too.
        raise errors.BadRequest(f"--ca-file {file}: {error.strerror}") from None


def _understood(response: httpx.Response) -> Answer:
    try:
        document = response.json()
    except ValueError:
        document = None
    if response.is_success and document is not None:
        return Answer(response.text, document)
    raise _meaning(response, document)


def _meaning(response: httpx.Response, document: Any) -> errors.SyncdError:
    status, url = response.status_code, response.request.url
    if not isinstance(document, dict) or "reason" not in document:
        return errors.Unavailable(f"{url} is no syncd daemon: it answered {status}")
    if status == HTTPStatus.UNAUTHORIZED:
        return errors.NotLoggedIn(f"{_words(document)}\n{_LOGIN}")
    otherwise = errors.Unavailable if status >= 500 else errors.BadRequest
    return REFUSALS.get(status, otherwise)(_words(document))


_LOGIN = (
    "set SYNCD_TOKEN to KEY:SECRET, or name a file of it by --token-file; whoever may"
    " write the state folder makes one with `syncd token create EMAIL`"
)


def _words(document: dict[str, Any]) -> str:
    faults = document.get("faults") or []
    lines = [fault if isinstance(fault, str) else json.dumps(fault) for fault in faults]
    return "\n".join(dict.fromkeys([*str(document["reason"]).splitlines(), *lines]))
