"""The body of a request as a document, strictly: nothing is guessed or left out."""

import json
import math
from collections import Counter
from email.message import Message
from typing import Any

import msgspec
from tornado.httputil import HTTPHeaders

from syncd.errors import BadRequest, TooLarge, WrongType

DEEPEST = 50
"""How far values may be nested."""

MARKS = (b",", b":", b"[", b"{")
MOST_MARKS = 64_000
"""How often these may stand in a body: more takes too long to be looked through."""

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
    """Return what the body says; raise BadRequest unless it is sound JSON.

    Raise TooLarge for more values than can be read while all others wait.
    """
    if sum(map(body.count, MARKS)) > MOST_MARKS:
        raise TooLarge(f"the body has more than {MOST_MARKS} values; say it in parts")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return _carefully(body)  # It knows what is wrong, and where.
    if _check(value) != body.count(b":"):
        return _carefully(body)  # Some name may stand twice; or a text has a colon.
    return value


def _carefully(body: bytes) -> Any:
    """Return the same, slowly; raise BadRequest."""
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


def _check(value: Any) -> int:
    """Refuse what JSON can say and others could not take: depth, size, surrogates.

    Return how many names objects have in all.
    """
    names, level = 0, [[value]]
    for _ in range(DEEPEST + 1):
        below: list[list[Any]] = []
        for some in level:
            _check_plain(some)
            for one in some:
                if type(one) is dict:
                    names += len(one)
                    _check_plain(list(one))
                    below.append(list(one.values()))
                elif type(one) is list:
                    below.append(one)
        level = [some for some in below if some]
        if not level:
            return names
    raise BadRequest(f"the body is nested more than {DEEPEST} deep")


def _check_plain(some: list[Any]) -> None:
    """Refuse numbers and texts as above."""
    kinds = set(map(type, some))
    if int in kinds and any(type(one) is int and abs(one) > LARGEST for one in some):
        raise BadRequest("the body has a number that is too large")
    if str in kinds:
        _check_text([one for one in some if type(one) is str])


def _check_text(texts: list[str]) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        around = error.object[max(0, error.start - 20) :][:40]
        raise BadRequest(f"the body has half a character in {around!a}") from None
