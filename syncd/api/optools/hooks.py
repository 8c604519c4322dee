"""Tells a client that a restore has ended: where it says, if that is a public place."""

import asyncio
import ipaddress
import random
import socket
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from syncd.api.optools.requests import refused

ATTEMPTS = 3
TIMEOUT = 10.0
AGAIN = frozenset({408, 429, 500, 502, 503, 599})
LARGEST = 64 << 10
"""Bytes of an answer, which nobody looks at."""
LONGEST = 2000


def check(url: str) -> None:
    """Raise Refused for what is no address of a web hook; empty is none."""
    if url and not _parts(url):
        raise refused(
            "client_webhook_url must be an address such as https://HOST:PORT/PATH"
        )


async def post(url: str, id_: str, said: dict[str, Any], *, private: bool) -> str:
    """Tell it, with a few attempts; return why that failed, empty if it did not.

    ``private`` says whether it may be at an address that is not public.
    """
    trouble = ""
    for attempt in range(1, ATTEMPTS + 1):
        status, trouble = await _posted(url, id_, msgspec.json.encode(said), private)
        if not trouble or status not in AGAIN:
            break
        pause = random.uniform(0.05, 0.25)
        if status in (429, 500):
            pause = 0.1 * attempt + random.random()
        await asyncio.sleep(pause)
    return trouble


def target(url: str, id_: str) -> tuple[str, str, str]:
    """Return the address that gets the POST, and the login that was in it."""
    parts = _parts(url)
    assert parts is not None, "it was checked"
    login = unquote(parts.username or ""), unquote(parts.password or "")
    host = parts.hostname or ""
    place = f"[{host}]" if ":" in host else host
    place += f":{parts.port}" if parts.port else ""
    path = parts.path
    if path in ("", "/"):
        path = f"/api/v1/webhooks/txs/{id_}"
    return (urlunsplit((parts.scheme, place, path, parts.query, "")), *login)


def is_public(address: str) -> bool:
    """Tell whether an address can be anybody's, and not of a network of ours."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inside = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return (
        found.is_global
        and not found.is_multicast
        and (inside is None or inside.is_global)
    )


def _parts(url: str) -> Any:
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        fine = parts.scheme in ("http", "https") and parts.hostname
        _ = parts.port
    except ValueError:
        return None
    return parts if fine and len(url) <= LONGEST and url.isprintable() else None


async def _posted(url: str, id_: str, body: bytes, private: bool) -> tuple[int, str]:
    # Loaded only by those who have such a hook.
    from tornado.httpclient import AsyncHTTPClient, HTTPError  # noqa: PLC0415
    from tornado.netutil import Resolver  # noqa: PLC0415

    class Public(Resolver):
        """Resolves to public addresses only, so that what is asked is what is used."""

        async def resolve(
            self, host: str, port: int, family: int = socket.AF_UNSPEC
        ) -> list[tuple[int, Any]]:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(
                host, port, family=family, type=socket.SOCK_STREAM
            )
            some = [
                (one[0], one[4])
                for one in found
                if private or is_public(str(one[4][0]))
            ]
            if not some:
                raise OSError(f"{host} is at no public address")
            return [(int(kind), address) for kind, address in some]

        @classmethod
        def configurable_base(cls) -> "type[Public]":
            return cls

        @classmethod
        def configurable_default(cls) -> "type[Public]":
            return cls

    where, user, password = target(url, id_)
    client = AsyncHTTPClient(
        force_instance=True, max_body_size=LARGEST, resolver=Public()
    )
    try:
        await client.fetch(
            where,
            method="POST",
            headers={"Content-Type": "application/json", "User-Agent": "syncd"},
            body=body,
            auth_username=user or None,
            auth_password=password if user else None,
            connect_timeout=TIMEOUT,
            request_timeout=TIMEOUT,
            follow_redirects=False,
        )
    except HTTPError as error:
        return error.code, str(error)
    except (OSError, ValueError) as error:
        return 599, str(error)
    finally:
        client.close()
    return 200, ""
