"""Passwords: what is kept of one, and whether another is the same."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()

NOBODYS = _HASHER.hash("nobody has this password")
"""What is compared where there is no such user, so that it takes as long."""


def hashed(password: str) -> str:
    """Return what may be kept of a password; takes a tenth of a second, and 64 MiB."""
    return _HASHER.hash(_raw(password))


def fits(kept: str, password: str) -> bool:
    """Tell whether it is the password of which that was kept; takes as long."""
    try:
        return _HASHER.verify(kept, _raw(password))
    except (VerificationError, InvalidHashError):
        return False


def _raw(password: str) -> bytes:
    return password.encode(errors="surrogatepass")
