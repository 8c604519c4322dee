"""The body of a request as a document, strictly: nothing is guessed or left out."""

import json
import math
from collections import Counter
from email.message import Message
from typing import Any

from tornado.httputil import HTTPHeaders

from syncd.errors import BadRequest, WrongType

DEEPEST = 50
"""How far values may be nested."""

LARGEST = 2**63 - 1
"""Whole numbers beyond that are changed by many who pass them on."""


def check_type(headers: HTTPHeaders) -> None:
    """Raise WrongType for a body that says it is not JSON; saying nothing will do."""
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise WrongType("the body is compressed; send it as it is")
    said = Message()
    said["Content-Type"] = headers.get("Content-Type") or "application/json"
    charset = said.get_content_charset("utf-8")
    if said.get_content_type() != "application/json" or charset not in (
        "utf-8",
        "utf8",
    ):
        raise WrongType("the body must be application/json in UTF-8")


def document(body: bytes) -> Any:
    """Return what the body says; raise BadRequest unless it is sound JSON."""
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
        )
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8, from byte {error.start} on") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    _check(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise BadRequest(f"the body has {name[:40]!a} twice in one object")
    return result


def _constant(name: str) -> float:
    raise BadRequest(f"the body is not JSON: {name} is no number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadRequest(f"the body has a number that is too large: {text[:40]}")
    return number


def _check(value: Any) -> None:
    """Refuse what JSON can say and others could not take: depth, size, surrogates."""
    waiting = [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        if depth > DEEPEST:
            raise BadRequest(f"the body is nested more than {DEEPEST} deep")
        if isinstance(one, str):
            _check_text(one)
        elif isinstance(one, int) and abs(one) > LARGEST:
            raise BadRequest("the body has a number that is too large")
        elif isinstance(one, dict):
            waiting += [(part, depth + 1) for pair in one.items() for part in pair]
        elif isinstance(one, list):
            waiting += [(part, depth + 1) for part in one]


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest(f"the body has half a character in {text[:40]!a}") from None
