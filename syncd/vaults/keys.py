"""The key of an encrypted store: age identities, kept outside of the store."""

from collections.abc import Sequence

import pyrage
from pyrage import x25519

from syncd.errors import ConfigError, StorageError

_REMEDY = "make one with age-keygen, or with `syncd vault key`"


class Keys:
    """What encrypts (recipients) and decrypts (identities); age's X25519 keys.

    ``identity`` is the text of an age key file: lines ``AGE-SECRET-KEY-1...`` and
    comments. New vaults are encrypted for the first, older ones may need another.
    ``recipients`` are more public keys that shall be able to read, such as that of a
    spare key in a safe. Raise ConfigError for what is no key, never naming it.
    """

    def __init__(self, identity: str, recipients: Sequence[str] = ()) -> None:
        lines = [line.strip() for line in identity.splitlines()]
        kept = [line for line in lines if line and not line.startswith("#")]
        if not kept:
            raise ConfigError(f"the key of the vaults is empty; {_REMEDY}")
        self.identities = [_identity(line) for line in kept]
        own = self.identities[0].to_public()
        self._recipients = [own, *(_recipient(one) for one in recipients)]

    @property
    def recipients(self) -> list[x25519.Recipient]:
        """Return whom new vaults are encrypted for, our own key first."""
        return self._recipients

    def encrypt(self, content: bytes) -> bytes:
        """Return the content as an age file."""
        return bytes(pyrage.encrypt(content, self._recipients))

    def decrypt(self, content: bytes, place: str) -> bytes:
        """Return what an age file holds; raise StorageError if it cannot be read."""
        try:
            return bytes(pyrage.decrypt(content, self.identities))
        except pyrage.DecryptError as error:
            raise StorageError(f"{place} cannot be decrypted: {error}") from None


def new_identity() -> tuple[str, str]:
    """Return a fresh secret key and its public one."""
    identity = x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def _identity(line: str) -> x25519.Identity:
    try:
        return x25519.Identity.from_str(line)
    except pyrage.IdentityError:
        raise ConfigError(f"the key of the vaults is no age key; {_REMEDY}") from None


def _recipient(text: str) -> x25519.Recipient:
    try:
        return x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise ConfigError(
            f"{text!r} is no recipient; write an age public key, age1..."
        ) from None
