"""Keys by which machines are known, and the fingerprints that people compare."""

import base64
import hashlib

from syncd.core.borg.tasks import HostKey
from syncd.core.borg.values import known_as


def host_keys(printed: str, host: str, port: int) -> list[HostKey]:
    """Return the keys in what ``ssh-keyscan`` printed for a machine."""
    found = []
    for line in printed.splitlines():
        words = line.split()
        if line.startswith("#") or len(words) != 3:
            continue
        _, kind, key = words
        try:
            digest = hashlib.sha256(base64.b64decode(key, validate=True)).digest()
        except ValueError:
            continue
        mark = base64.b64encode(digest).decode().rstrip("=")
        found.append(
            HostKey(kind, f"SHA256:{mark}", f"{known_as(host, port)} {kind} {key}")
        )
    return sorted(found, key=lambda one: one.kind)
