"""Hides what is secret in the options of a policy, and finds it again in an edit."""

import json
from typing import Any

MASK = "$encrypted$"
"""Stands for a secret; who sends it back means the one there was."""

WORDS = (
    *("password", "passwd", "passphrase", "pwd", "secret", "token"),
    *("api_key", "apikey", "access_key", "private_key", "credential_key"),
)


def options(text: str) -> Any:
    """Return the options in a text: an object, or None for no JSON, or for nothing.

    A name that is twice in one object makes it none: one of both would not be seen.
    """
    try:
        found = json.loads(text, object_pairs_hook=_object) if text else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def masked(text: str) -> str:
    """Return options without secrets; what is no JSON may be one as a whole."""
    if not text.strip():
        return text
    found = options(text)
    return MASK if found is None else _kept(text, found, _hidden(found))


def unmasked(text: str, before: str) -> str:
    """Return edited options, with the secrets there were for masks."""
    if text == MASK:
        return before
    found = options(text)
    if found is None:
        return text
    return _kept(text, found, _revealed(found, options(before)))


def _kept(text: str, found: Any, changed: Any) -> str:
    """Return a text as it was written, if nothing in it had to change."""
    return text if changed == found else json.dumps(changed, ensure_ascii=False)


def _hidden(value: Any) -> Any:
    match value:
        case dict():
            return {
                name: MASK if _is_secret(name) and one else _hidden(one)
                for name, one in value.items()
            }
        case list():
            return [_hidden(one) for one in value]
    return value


def _revealed(value: Any, before: Any) -> Any:
    match value:
        case dict():
            known = before if isinstance(before, dict) else {}
            return {
                name: _revealed(one, known.get(name)) for name, one in value.items()
            }
        case list():
            known_list = before if isinstance(before, list) else []
            padded = [*known_list, *([None] * len(value))]
            return [_revealed(one, padded[n]) for n, one in enumerate(value)]
        case str() if value == MASK and before is not None:
            return before
    return value


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in WORDS)
