"""Secrets as they are kept: sealed with a key that does not lie in the index.

Whoever gets hold of the index, or of a copy of it, does not have them.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

from syncd.errors import Unavailable
from syncd.store import keyfile

FILE = "secrets.key"
"""The key, in the state folder."""

MARK = "$encrypted$"
"""What stands for a secret that is not told, and before one that is kept."""

_BEGINNING = f"{MARK}UTF8$AESCBC$"


class Sealer:
    """Seals and opens texts; an empty one is no secret."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: Any = None

    def seal(self, text: str) -> str:
        """Return what may be kept of a text; raise Unavailable without the key."""
        if not text:
            return ""
        sealed: bytes = self._box().encrypt(text.encode())
        return _BEGINNING + sealed.decode()

    def open(self, sealed: str) -> str:
        """Return the text; raise Unavailable if it is not of our key."""
        if not sealed.startswith(_BEGINNING):
            return sealed
        from cryptography.fernet import InvalidToken  # noqa: PLC0415

        try:
            raw: bytes = self._box().decrypt(sealed.removeprefix(_BEGINNING).encode())
        except InvalidToken:
            raise Unavailable(
                f"a secret was sealed with another key than that in {self._file}: put"
                " the right one back, or set the secret anew"
            ) from None
        return raw.decode()

    def _box(self) -> Any:
        if self._kept is None:
            # Loaded by those who have secrets to keep: it takes its time.
            from cryptography.fernet import Fernet  # noqa: PLC0415

            digest = hashlib.sha256(keyfile.read_or_made(self._file)).digest()
            self._kept = Fernet(base64.urlsafe_b64encode(digest))
        return self._kept
