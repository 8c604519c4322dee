"""Path patterns of rules: a plain path and all below it, or a glob.

A glob is matched part by part, not as one big expression: a name that somebody
chose to make matching slow costs at most its length times the glob's.
"""

import re
from collections.abc import Callable, Iterator

from bracex import ExpansionLimitException, iexpand
from msgspec import Struct
from wcmatch import fnmatch

LONGEST = 4096
"""Characters of a pattern."""

MOST_ALTERNATIVES = 100
"""What the braces of one glob may stand for."""

_DEEPEST_BRACES = 20
_GLOB = re.compile(r"[*?\[]|\{[^{}]*(?:,|\.\.)[^{}]*\}")
_WILD = re.compile(r"[*?\[\\]")
_SPECIAL = re.compile(r"[*?\[\]\\]")
_TWO_STARS = re.compile(r"(?<!\\)\*\*")
# A look-ahead is never gone back into, so the group takes all that it can or fails.
_STEP = re.compile(r"[^\\\[]|\\.|\[(?=([!^]?\]?(?:[^\]\\]|\\.)*))\1\]", re.DOTALL)
_FLAGS = fnmatch.DOTMATCH | fnmatch.CASE | fnmatch.FORCEUNIX

Test = Callable[[str], bool]
"""Tells whether a text (a path, or one part of it) matches."""


class Pattern(Struct, frozen=True):
    """What a pattern means."""

    head: str | None
    """What at the root all that matches is or lies in, where there is such."""
    test: Test | None
    """Says whether a path (with no slash in front) matches; None: every path does."""


def check(pattern: str) -> str:
    """Return the pattern; raise ValueError if it means nothing."""
    if not pattern.startswith("/"):
        raise ValueError(f"must begin with a slash: /{pattern[:40]}")
    if len(pattern) > LONGEST:
        raise ValueError(f"must not be longer than {LONGEST} characters")
    if "\0" in pattern:
        raise ValueError("must not have a zero byte in it")
    if is_glob(pattern):
        _check_glob(pattern)
    elif pattern != "/":
        _check_parts(pattern[1:].removesuffix("/").split("/"))
    return pattern


def is_glob(pattern: str) -> bool:
    """Tell whether the pattern is a glob: has ``*``, ``?``, ``[`` or ``{a,b}``."""
    return _GLOB.search(pattern) is not None


def compiled(pattern: str) -> Pattern:
    """Return what a pattern means that check has let pass."""
    if is_glob(pattern):
        return _any_of([_glob(one) for one in _alternatives(pattern)])
    path = pattern.strip("/")
    return (
        Pattern(path.partition("/")[0], _below(path)) if path else Pattern(None, None)
    )


def wild(pattern: str) -> Test:
    r"""Return the test for one part, in which ``*?[]\`` have a meaning."""
    if pattern == "*":
        return bool
    if _WILD.search(pattern) is None:
        return pattern.__eq__
    if pattern[0] == "*" and _WILD.search(pattern, 1) is None:
        end = pattern[1:]
        return lambda text: text.endswith(end)
    (expression,), _ = fnmatch.translate(pattern, flags=_FLAGS)
    match = re.compile(expression).fullmatch
    return lambda text: match(text) is not None


def _check_glob(pattern: str) -> None:
    if pattern.endswith("/"):
        raise ValueError(
            f"a glob names no folder by a slash at its end: {pattern[:40]}** is what "
            "lies below"
        )
    for one in _alternatives(pattern):
        parts = one[1:].split("/")
        _check_parts(parts)
        for part in parts:
            _check_part(part)


def _check_parts(parts: list[str]) -> None:
    if "" in parts:
        raise ValueError("has two slashes in a row, which no path has")
    if "." in parts or ".." in parts:
        raise ValueError("has . or .. as a name, which no path has")


def _check_part(part: str) -> None:
    if not _is_well_formed(part):
        raise ValueError(
            r"has a [ that is never closed, or a \ at the end of a name; "
            r"the characters themselves are \[ and \\"
        )
    if part != "**" and _TWO_STARS.search(part):
        raise ValueError("** must stand alone between two slashes, as in /**/*.jpg")


def _is_well_formed(part: str) -> bool:
    at = 0
    while at < len(part):
        step = _STEP.match(part, at)
        if step is None:
            return False
        at = step.end()
    return True


def _alternatives(pattern: str) -> list[str]:
    if pattern.count("{") > _DEEPEST_BRACES:
        raise ValueError(f"must not have more than {_DEEPEST_BRACES} pairs of braces")
    try:
        return list(iexpand(pattern, keep_escapes=True, limit=MOST_ALTERNATIVES))
    except ExpansionLimitException:
        raise ValueError(
            f"its braces must not stand for more than {MOST_ALTERNATIVES} alternatives"
        ) from None


def _any_of(patterns: list[Pattern]) -> Pattern:
    heads = {one.head for one in patterns}
    tests = [one.test for one in patterns if one.test is not None]
    head = heads.pop() if len(heads) == 1 else None
    if len(tests) == 1:
        return Pattern(head, tests[0])
    return Pattern(head, lambda path: any(test(path) for test in tests))


def _below(folder: str) -> Test:
    inside = f"{folder}/"
    return lambda path: path == folder or path.startswith(inside)


def _glob(pattern: str) -> Pattern:
    parts = pattern[1:].split("/")
    if parts[-1] == "**":
        parts.append("*")  # what lies below, not the folder itself
    begin = "/".join(_plain_parts(parts))
    end = _SPECIAL.split(parts[-1])[-1]
    tests = tuple(None if part == "**" else wild(part) for part in parts)
    head = begin.partition("/")[0] or None
    if len(parts) == begin.count("/") + 2 and tests[-2] is None:
        return Pattern(head, _anywhere_below(begin, wild(parts[-1])))

    def test(path: str) -> bool:
        return (
            path.startswith(begin)
            and path.endswith(end)
            and _matches(path.split("/"), tests)
        )

    return Pattern(head, test)


def _anywhere_below(begin: str, last: Test) -> Test:
    return lambda path: path.startswith(begin) and last(path.rpartition("/")[2])


def _plain_parts(parts: list[str]) -> Iterator[str]:
    for part in parts:
        if _WILD.search(part):
            yield ""  # so that what comes before ends with a slash
            return
        yield part


def _matches(names: list[str], tests: tuple[Test | None, ...]) -> bool:
    """Tell whether the names pass the tests one by one; None takes any number of names.

    Only the last None met is ever given more names: what passed before it
    passes just as well with that.
    """
    name = at = 0
    retry: tuple[int, int] | None = None
    while name < len(names):
        test = tests[at] if at < len(tests) else _nothing
        if test is None:
            at += 1
            retry = (name, at)
        elif test(names[name]):
            name, at = name + 1, at + 1
        elif retry is None:
            return False
        else:
            retry = (retry[0] + 1, retry[1])
            name, at = retry
    return all(test is None for test in tests[at:])


def _nothing(_: str) -> bool:
    return False
