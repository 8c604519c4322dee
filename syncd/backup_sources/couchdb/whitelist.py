"""The list of addresses that a console may speak to, made anew of its components."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from syncd.backup_sources.couchdb.talking import Server, in_url

SETTINGS = "00_settings_athena"
LIST = "url_safe_list"
TYPES = frozenset({"msp", "msp-external", "fabric-ca", "fabric-orderer", "fabric-peer"})
SIGNATURES = "signature_collection"
ADDRESSES = (
    "api_url",
    "ca_url",
    "grpcwp_url",
    "operations_url",
    "osnadmin_url",
    "api_url_saas",
    "operations_url_saas",
    "osnadmin_url_saas",
)
USUAL = {"https": 443}
ROUNDS = 5
PAGE = 500


async def rebuilt(server: Server, components: str, system: str) -> bool:
    """Write the list into the settings if it is another; tell whether it was.

    Without any component it stays as it is. Raise StorageError.
    """
    path = f"{in_url(system)}/{SETTINGS}"
    for _ in range(ROUNDS):
        answer = await server.ask("GET", path, fine=(404,))
        if answer.status == 404:
            return False
        settings = answer.read()
        found = [doc async for doc in _documents(server, components)]
        if not any(doc.get("type") in TYPES for doc in found):
            return False
        wanted = listed(found, str(settings.get("deployer_url") or ""))
        if set(wanted) == set(settings.get(LIST) or []):
            return False
        said = {**settings, LIST: wanted}
        if (await server.ask("PUT", path, said, fine=(409,))).status != 409:
            return True
    return False


def listed(docs: Iterable[Mapping[str, Any]], deployer: str) -> list[str]:
    """Return the addresses of the deployer and of components, HOST:PORT, once each."""
    found: dict[str, None] = {}
    for url in (deployer, *_urls(list(docs))):
        if address := _address(url):
            found[address] = None
    return list(found)


def _urls(docs: list[Mapping[str, Any]]) -> Iterator[str]:
    components = [doc for doc in docs if doc.get("type") in TYPES]
    signed = [doc for doc in docs if doc.get("type") == SIGNATURES]
    found: list[Any] = [doc.get(name) for doc in components for name in ADDRESSES]
    for doc in signed:
        for one in _lists(doc.get("orgs2sign")):
            found += _lists(one.get("peers")) if isinstance(one, dict) else []
    yield from (url for url in found if isinstance(url, str))


def _lists(said: Any) -> list[Any]:
    return said if isinstance(said, list) else []


def _address(url: str) -> str:
    if not url:
        return ""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        port = parts.port or USUAL.get(parts.scheme, 80)
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if parts.hostname else ""


async def _documents(server: Server, name: str) -> AsyncIterator[dict[str, Any]]:
    start = ""
    while True:
        path = f"{in_url(name)}/_all_docs?include_docs=true&limit={PAGE + 1}"
        path += f"&startkey={in_url(start)}" if start else ""
        answer = await server.ask("GET", path, fine=(404,))
        rows = [] if answer.status == 404 else answer.read()["rows"]
        for row in rows[:PAGE]:
            doc = row["doc"] or {}
            if doc.get("type") in TYPES | {SIGNATURES}:
                wanted = (*ADDRESSES, "type", "orgs2sign")
                yield {word: doc[word] for word in wanted if word in doc}
        if len(rows) <= PAGE:
            return
        start = json.dumps(rows[PAGE]["key"])
