"""Requests as bytes, where a client library would be too polite."""

import asyncio

from msgspec import Struct


class Raw(Struct):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


async def say(port: int, data: bytes) -> bytes:
    """Send the bytes and return all that comes until the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def ask(
    port: int, start: str, body: bytes = b"", *, host: str | None = None, **headers: str
) -> Raw:
    """Send one request as it is written and return the answer."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    names = {"Host": host or f"127.0.0.1:{port}", "Connection": "close", **names}
    if body and "Transfer-Encoding" not in names:
        names.setdefault("Content-Length", str(len(body)))
    lines = [f"{start} HTTP/1.1", *(f"{k}: {v}" for k, v in names.items())]
    return parsed(await say(port, "\r\n".join(lines).encode() + b"\r\n\r\n" + body))


def parsed(answer: bytes) -> Raw:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Raw(int(first.split()[1]), headers, body)
