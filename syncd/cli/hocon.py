"""Reads HOCON, as far as configurations of the backup daemon use it.

That is JSON with keys a.b, comments, values without quotes, several values that make
one, and ``${NAME}``. Every value stays what its writer wrote: ``7d`` is no duration
here. Files are not included.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from syncd.errors import BadRequest

DEEPEST = 50

Tree = dict[str, Any]

_BLANK = re.compile(r"[ \t\r\f\v\u00a0\ufeff]+")
_COMMENT = re.compile(r"(?:#|//)[^\n]*")
_TRIPLE = re.compile(r'"""(.*?)"{3}(?!")', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_REFERENCE = re.compile(r"\$\{(\??)\s*([^}\n]+?)\s*\}")
_BARE = re.compile(r'(?:(?!//|\$\{)[^"{}\[\],#\s])+')
_KEY = re.compile(r'(?:(?!//)[^"{}\[\],#:=+.\s])+')
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_WORDS = {"true": True, "false": False, "null": None}


class _Reference(NamedTuple):
    """A value that is said elsewhere."""

    optional: bool
    path: str


class _Several(NamedTuple):
    """Values, and the blanks between them, that make one."""

    parts: list[Any]


class _Later(NamedTuple):
    """What is said of a key, and what was said of it before."""

    value: Any
    before: Any
    adds: bool


class _Nothing:
    """What an optional reference to nothing is."""


_NOTHING = _Nothing()


def parse(text: str) -> Tree:
    """Return what a text says, keys with dots as objects in objects.

    Raise BadRequest, with the line, for what cannot be read.
    """
    said = _Reader(text).document()
    return _Resolver(said).all()


class _Reader:
    """Goes through the text once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._deep = 0

    def document(self) -> Tree:
        """Return all of it, with references still in it."""
        self._skip()
        braced = self._takes("{")
        said = self._members("}" if braced else "")
        self._skip()
        if self._at < len(self._text):
            raise self._wrong("there is more behind the end")
        return said

    def _members(self, end: str) -> Tree:
        said: Tree = {}
        while True:
            self._skip()
            if self._ends(end):
                return said
            self._member(said)
            self._separator(end)

    def _member(self, said: Tree) -> None:
        if re.compile(r"include\b(?!\s*[:=+])").match(self._text, self._at):
            raise self._wrong("other files are not included; put them together first")
        path = self._path()
        self._blanks()
        adds = self._takes("+=")
        said_so = adds or self._takes(":") or self._takes("=")
        if not said_so and self._text[self._at : self._at + 1] != "{":
            raise self._wrong(f"after {'.'.join(path)!r} comes = or :")
        self._skip()
        _put(said, path, self._value(), adds=adds)

    def _path(self) -> list[str]:
        parts = []
        while True:
            if found := _QUOTED.match(self._text, self._at):
                parts.append(_unescaped(found[1]))
            elif found := _KEY.match(self._text, self._at):
                parts.append(found[0])
            else:
                raise self._wrong("a key is missing")
            self._at = found.end()
            if len(parts) > DEEPEST:
                raise self._wrong(f"the key has more than {DEEPEST} parts")
            if not self._takes("."):
                return parts

    def _value(self) -> Any:
        """Return a value; several on one line make one."""
        self._deep += 1
        if self._deep > DEEPEST:
            raise self._wrong(f"it is nested more than {DEEPEST} deep")
        parts: list[Any] = []
        while True:
            blank = self._blanks()
            found = self._piece()
            if found is _NOTHING:
                break
            parts += [blank, found] if parts else [found]
        self._deep -= 1
        if not parts:
            raise self._wrong("a value is missing")
        return _plain(parts[0]) if len(parts) == 1 else _Several(parts)

    def _piece(self) -> Any:
        start = self._text[self._at : self._at + 1]
        if start == "{":
            self._at += 1
            return self._members("}")
        if start == "[":
            self._at += 1
            return self._elements()
        readers: list[tuple[re.Pattern[str], Callable[[re.Match[str]], Any]]] = [
            (_TRIPLE, lambda found: _Text(found[1])),
            (_QUOTED, lambda found: _Text(_unescaped(found[1]))),
            (_REFERENCE, lambda found: _Reference(bool(found[1]), found[2])),
            (_BARE, lambda found: found[0]),
        ]
        if _COMMENT.match(self._text, self._at):
            return _NOTHING
        for pattern, made in readers:
            if found := pattern.match(self._text, self._at):
                self._at = found.end()
                return made(found)
        if start == '"':
            raise self._wrong("a quote is not closed")
        return _NOTHING

    def _elements(self) -> list[Any]:
        said: list[Any] = []
        while True:
            self._skip()
            if self._ends("]"):
                return said
            said.append(self._value())
            self._separator("]")

    def _separator(self, end: str) -> None:
        """Go behind what separates two: a comma, or the end of a line."""
        self._blanks()
        self._comment()
        rest = self._text[self._at : self._at + 1]
        if rest and rest not in f"\n,{end}":
            raise self._wrong(f"{rest!r} stands where a line or a comma should be")
        self._skip()
        self._takes(",")

    def _ends(self, end: str) -> bool:
        if not end:
            return self._at >= len(self._text)
        if self._at >= len(self._text):
            raise self._wrong(f"{end} is missing")
        return self._takes(end)

    def _takes(self, word: str) -> bool:
        found = self._text.startswith(word, self._at)
        self._at += len(word) * found
        return found

    def _blanks(self) -> str:
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found[0] if found else ""

    def _comment(self) -> bool:
        found = _COMMENT.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return bool(found)

    def _skip(self) -> None:
        while self._blanks() or self._comment() or self._takes("\n"):
            continue

    def _wrong(self, words: str) -> BadRequest:
        line = self._text.count("\n", 0, self._at) + 1
        return BadRequest(f"line {line}: {words}")


class _Text(str):
    """A text that had quotes, and so is one whatever it looks like."""


class _Resolver:
    """Puts what references mean in their place."""

    def __init__(self, said: Tree) -> None:
        self._said = said
        self._open: list[str] = []

    def all(self) -> Tree:
        """Return the whole without references."""
        found: Tree = self._tree(self._said)
        return found

    def _tree(self, said: Tree) -> Tree:
        found = {key: self._of(value) for key, value in said.items()}
        return {key: value for key, value in found.items() if value is not _NOTHING}

    def _of(self, value: Any) -> Any:
        found = value
        match value:
            case _Later():
                found = self._later(value)
            case _Several():
                found = _together([self._of(part) for part in value.parts])
            case _Reference():
                found = self._referred(value)
            case dict():
                found = self._tree(value)
            case list():
                some = [self._of(one) for one in value]
                found = [one for one in some if one is not _NOTHING]
            case str():
                found = str(value)
        return found

    def _later(self, value: _Later) -> Any:
        found, before = self._of(value.value), value.before
        if value.adds:
            old = self._of(before)
            return [*(old if isinstance(old, list) else []), found]
        if found is _NOTHING:
            return self._of(before)
        if isinstance(found, dict) and isinstance(old := self._of(before), dict):
            return _merged(old, found)
        return found

    def _referred(self, value: _Reference) -> Any:
        if value.path in self._open:
            raise BadRequest(f"${{{value.path}}} refers to itself")
        found = _find(self._said, value.path.split("."))
        if found is _NOTHING and not value.optional:
            raise BadRequest(f"${{{value.path}}} is said nowhere in the file")
        self._open.append(value.path)
        try:
            return self._of(found)
        finally:
            self._open.pop()


def _find(value: Any, path: list[str]) -> Any:
    """Return what is said at the end of a path; _NOTHING if nothing is."""
    if not path:
        return value
    match value:
        case _Later():
            found = _find(value.value, path)
            return _find(value.before, path) if found is _NOTHING else found
        case dict():
            return _find(value.get(path[0], _NOTHING), path[1:])
    return _NOTHING


def _put(said: Tree, path: list[str], value: Any, *, adds: bool) -> None:
    for key in reversed(path[1:]):
        inner: Tree = {}
        _put(inner, [key], value, adds=adds)
        value, adds = inner, False
    before = said.get(path[0], _NOTHING)
    new = before is _NOTHING and not adds
    said[path[0]] = value if new else _Later(value, before, adds)


def _merged(old: Tree, new: Tree) -> Tree:
    both = {
        key: _merged(old[key], new[key])
        for key in old.keys() & new.keys()
        if isinstance(old[key], dict) and isinstance(new[key], dict)
    }
    return {**old, **new, **both}


def _together(parts: list[Any]) -> Any:
    """Return the one value that several make, with the blanks between them."""
    values = [part for part in parts[::2] if part is not _NOTHING]
    if values and all(isinstance(one, dict) for one in values):
        found: Tree = {}
        for one in values:
            found = _merged(found, one)
        return found
    if values and all(isinstance(one, list) for one in values):
        return [one for some in values for one in some]
    if any(isinstance(one, dict | list) for one in values):
        raise BadRequest("text cannot stand beside an object or a list")
    return "".join(_shown(part) for part in parts if part is not _NOTHING)


def _shown(value: Any) -> str:
    words = {True: "true", False: "false", None: "null"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _plain(value: Any) -> Any:
    """Return what a word without quotes means by itself."""
    if not isinstance(value, str) or isinstance(value, _Text):
        return value
    if value in _WORDS:
        return _WORDS[value]
    if found := _NUMBER.fullmatch(value):
        return float(value) if found[2] or found[3] else int(value[:4000])
    return value


def _unescaped(text: str) -> str:
    def meant(found: re.Match[str]) -> str:
        letter = found[1]
        if letter.startswith("u") and len(letter) == 5:
            return chr(int(letter[1:], 16))
        return _ESCAPES.get(letter, letter)

    whole = _ESCAPE.sub(meant, text)
    # Characters that were written as two halves become one.
    return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
