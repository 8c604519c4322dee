"""Keys of SSH: made, and their public halves."""

from typing import Any

from syncd.errors import BadRequest

KINDS = ("ed25519", "ecdsa", "rsa")
LEAST_RSA, MOST_RSA = 2048, 8192
CURVES = {256: "SECP256R1", 384: "SECP384R1", 521: "SECP521R1"}


def made(kind: str, size: int) -> str:
    """Return a new private key; raise BadRequest for a size that makes no sense.

    Without a size (0) it is one that is good for years. It takes up to some seconds.
    """
    # Loaded by those who want one: it takes its time.
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    raw: bytes = _key(kind, size).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return raw.decode()


def public(private: str) -> str:
    """Return the public half of a private key; raise BadRequest if that is none."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        text = f"{private.strip()}\n".encode()
        key = serialization.load_ssh_private_key(text, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadRequest(
            "the SSH key that is set is none that we can read, or has a passphrase"
        ) from None
    raw: bytes = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return raw.decode()


def _key(kind: str, size: int) -> Any:
    from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415
        ec,
        ed25519,
        rsa,
    )

    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ecdsa":
        curve = CURVES.get(size or 256)
        if curve is None:
            raise BadRequest("an ecdsa key has 256, 384 or 521 bits")
        return ec.generate_private_key(getattr(ec, curve)())
    bits = size or 4096
    if not LEAST_RSA <= bits <= MOST_RSA:
        raise BadRequest(f"an rsa key has {LEAST_RSA} to {MOST_RSA} bits")
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)
