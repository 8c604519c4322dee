"""Hides secrets in texts, however they are quoted there."""

import re
from collections.abc import Callable, Iterable

from syncd.text import printable

HIDDEN = "********"
"""What stands in the place of a secret."""


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret in it hidden."""
    return hider(secrets)(text)


def hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return what hides these secrets in a text, however they are quoted there."""
    forms = {form for secret in secrets if secret for form in _forms(secret)}
    if not forms:
        return str
    # Longest first, so that a secret inside another one leaves no rest of it.
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return lambda text: pattern.sub(HIDDEN, text)


def _forms(secret: str) -> set[str]:
    """Return how a secret may look once it was put into another text."""
    # Most workers have no secret to hide.
    import json  # noqa: PLC0415
    from urllib.parse import quote  # noqa: PLC0415

    return {
        secret,
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret),
        quote(secret, safe=""),
        printable(secret),
    }
