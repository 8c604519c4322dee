"""Web hooks: a signed POST, tried a few times."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from syncd.backup.plan import WebHook
from syncd.errors import Unavailable

SIGNATURE = "X-Syncd-Signature"
PAUSES = (1.0, 5.0)
"""Seconds before the second and third attempt."""

LATEST_ANSWER = 64 << 10
"""Bytes of an answer, at most; it is not looked at."""


def signature(secret: str, body: bytes, at: int) -> str:
    """Return what tells that the body is ours, and when it was sent.

    ``t=SECONDS,v1=HEX``: HMAC-SHA256, with the secret as its key, of the seconds
    since 1970, a dot, and the body.
    """
    said = str(at).encode() + b"." + body
    digest = hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


async def post(hook: WebHook, said: dict[str, Any], now: Callable[[], float]) -> None:
    """Tell it; raise Unavailable if it was not taken (2xx) after a few attempts."""
    trouble = ""
    for pause in (0.0, *PAUSES):
        await asyncio.sleep(pause)
        trouble = await _posted(hook, json.dumps(said).encode(), int(now()))
        if not trouble:
            return
    raise Unavailable(f"the web hook {hook.url}: {trouble}")


async def _posted(hook: WebHook, body: bytes, at: int) -> str:
    """Return why it was not taken; empty when it was."""
    # Loaded only by those who have such a hook.
    from tornado.httpclient import AsyncHTTPClient, HTTPError  # noqa: PLC0415

    headers = {"Content-Type": "application/json", "User-Agent": "syncd"}
    if hook.secret:
        headers[SIGNATURE] = signature(hook.secret, body, at)
    client = AsyncHTTPClient(force_instance=True, max_body_size=LATEST_ANSWER)
    try:
        await client.fetch(
            hook.url,
            method="POST",
            headers=headers,
            body=body,
            connect_timeout=hook.timeout,
            request_timeout=hook.timeout,
            follow_redirects=False,
        )
    except (HTTPError, OSError, ValueError) as error:
        return str(error)
    finally:
        client.close()
    return ""
