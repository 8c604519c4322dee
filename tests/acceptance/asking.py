"""Asking a running daemon, as programs do."""

import base64
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

API = "/api/v1.0"
ELSEWHERE = ("/api", "/health", "/metrics", "/openapi")
"""Addresses that are taken as they are."""


def wait_for(
    predicate: Callable[[], object],
    within: float = 30,
    what: object = None,
    every: float = 0.02,
) -> Any:
    """Return what the predicate says once that is true; fail if it never is.

    It is asked ``every`` so many seconds.
    """
    deadline = time.monotonic() + within
    while True:
        if result := predicate():
            return result
        if time.monotonic() > deadline:
            told = what() if callable(what) else what or predicate
            raise AssertionError(f"not within {within} s: {told}")
        time.sleep(every)


class Asking:
    """What can be asked of a daemon over HTTP."""

    _http: httpx.Client

    def http(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Ask the API; paths that begin with /api or /health are taken as they are."""
        whole = path if path.startswith(ELSEWHERE) else API + path
        return self._http.request(
            method, whole, json=body, headers=dict(headers or {}), content=content
        )

    def get(self, path: str) -> Any:
        """Return the document at an address that must answer 200."""
        answer = self.http("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def put(self, path: str, body: object = None) -> Any:
        """Ask for a change that must succeed."""
        answer = self.http("PUT", path, body)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def stop_entry(self, entry: str) -> None:
        """Stop one entry over the API."""
        self.put(f"/entries/{quote(entry, safe='')}/stop")

    def start_entry(self, entry: str) -> None:
        """Start one entry over the API."""
        self.put(f"/entries/{quote(entry, safe='')}/start")

    def files(self, **query: str) -> list[dict[str, Any]]:
        """Return all files the API knows of, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            words = "&".join(f"{key}={quote(word)}" for key, word in query.items())
            page = self.get(f"/files?offset={len(found)}&limit=500&{words}")["files"]
            found += page
            if not page:
                return found

    def file(self, name: str) -> dict[str, Any]:
        """Return what the API says of one file; empty if it knows none."""
        for file in self.files(path=name):
            if file["filename"] == name:
                return file
        return {}

    def conflicts(self) -> list[dict[str, Any]]:
        """Return the conflicts the API lists."""
        found: list[dict[str, Any]] = self.get("/conflicts")["conflicts"]
        return found

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Return everything that was told on /events since it started."""
        with self._http.stream("GET", f"{API}/events") as greeting:
            words = (line.partition("id: ")[2] for line in greeting.iter_lines())
            boot, _, last = next(filter(None, words)).rpartition("-")
        found: list[tuple[str, dict[str, Any]]] = []
        since = f"{API}/events?last_event_id={boot}-0"
        with self._http.stream("GET", since) as stream:
            lines = stream.iter_lines()
            while len(found) < int(last):
                kind, _, word = next(lines).partition(": ")
                if kind == "event":
                    event = word
                elif kind == "data":
                    found.append((event, json.loads(word)))
        return found

    def status(self) -> dict[str, Any]:
        """Return the overall figures."""
        document: dict[str, Any] = self.get("/status")
        return document

    def total_pending(self) -> int:
        """Return how much work waits, on all entries."""
        return sum(each["pending"] for each in self.status()["entries"])

    def entry_state(self, entry: str) -> str:
        """Return the state of an entry as /status has it."""
        found: str = next(
            each["state"] for each in self.status()["entries"] if each["name"] == entry
        )
        return found

    def metric(self, name: str) -> float:
        """Return a metric, summed over its labels."""
        text = self.http("GET", "/metrics").text
        pattern = re.compile(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", re.MULTILINE)
        return sum(float(figure) for figure in pattern.findall(text))

    def transferred_bytes(self) -> int:
        """Return how many bytes of content were copied since it started."""
        return int(self.metric("syncd_transferred_bytes_total"))


def name_of(file: Mapping[str, Any]) -> bytes:
    """Return the name of a file as the disk has it, from what the API says."""
    if "filename_base64" in file:
        return base64.b64decode(file["filename_base64"])
    return os.fsencode(file["filename"])
