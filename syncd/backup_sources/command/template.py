"""What a command line is made of: fixed words, and places where values go.

A template is split into words before any value is known, so no value can ever
become more words than its place has. Two spellings say the same:
``%(data_folder)s`` and ``{{ .data_folder }}``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

FOLDER = "data_folder"
DATABASES = "dbs"
MAP = "dbmap"
OWN = (FOLDER, DATABASES, MAP)
"""The places that every template may have; the others are variables."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
"""What a variable may be called."""

_PERCENT = re.compile(r"%\((?P<name>[^()]*)\)s|(?P<percent>%%)|(?P<stray>%)")
_BRACES = re.compile(
    r"\{\{\s*\.(?P<name>[^\s{}]*)\s*\}\}|(?P<percent>(?!))|(?P<stray>\{\{)"
)
_BLANK = " \t\r\n"


class Place(Struct, frozen=True):
    """Where the words of something that is known later go."""

    name: str


Word = tuple[str | Place, ...]
"""Texts and places that together are one word of a command."""


class Template(Struct, frozen=True):
    """A command line, split into its words."""

    words: tuple[Word, ...]

    def expand(self, values: Mapping[str, Sequence[str]]) -> list[str]:
        """Return the command with each place taken by its words, if it has any.

        What is not among the values has none. A place that is a part of a word
        takes exactly one.
        """
        return [text for word in self.words for text in _expanded(word, values)]

    def mentions(self, name: str) -> bool:
        """Tell whether there is a place of that name."""
        return any(Place(name) in word for word in self.words)


def parse(text: str, variables: Iterable[str] = ()) -> Template:
    """Return the template that a text is.

    Words are divided by blanks; one that begins with ``"`` goes on to the next
    ``"``. Raise ValueError, in words that name the remedy, for what cannot be
    split or names no variable.
    """
    if "\0" in text:
        raise ValueError("holds a NUL character; no command can")
    words = tuple(_words(_pieces(text, {*OWN, *variables})))
    if not words or not _is_program(words[0]):
        raise ValueError("must begin with the program to run; write its name first")
    for word in words:
        _check(word)
    return Template(words)


def _expanded(word: Word, values: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if len(word) == 1 and isinstance(word[0], Place):
        return values.get(word[0].name, ())
    return ["".join(_text(part, values) for part in word)]


def _text(part: str | Place, values: Mapping[str, Sequence[str]]) -> str:
    if isinstance(part, str):
        return part
    (text,) = values[part.name]
    return text


def _pieces(text: str, known: set[str]) -> Iterator[str | Place]:
    """Give the text's characters and places in order."""
    if "{{" in text and "%(" in text:
        raise ValueError("mixes {{ .NAME }} and %(NAME)s; write one of them only")
    spelling, example = (
        (_BRACES, "{{ .data_folder }}")
        if "{{" in text
        else (_PERCENT, "%(data_folder)s, and %% for a percent sign")
    )
    end = 0
    for found in spelling.finditer(text):
        yield from text[end : found.start()]
        end = found.end()
        if found["percent"]:
            yield "%"
        elif found["stray"]:
            shown = text[found.start() : found.start() + 20]
            raise ValueError(f"has no place at {shown!r}; write {example}")
        elif found["name"] not in known:
            names = ", ".join(sorted(known))
            raise ValueError(
                f"names {found['name']!r}, which is none of {names};"
                " correct it, or declare it in variables"
            )
        else:
            yield Place(found["name"])
    yield from text[end:]


def _words(pieces: Iterable[str | Place]) -> Iterator[Word]:
    word: list[str | Place] = []
    begun = quoted = closed = False
    for piece in pieces:
        if not quoted and isinstance(piece, str) and piece in _BLANK:
            if begun:
                yield _joined(word)
            word, begun, closed = [], False, False
        elif closed:
            raise ValueError('goes on right after a closing "; put a blank there')
        elif piece == '"' and (quoted or not begun):
            begun, quoted, closed = True, not quoted, quoted
        else:
            begun = True
            word.append(piece)
    if quoted:
        raise ValueError('has a " that is never closed; close it')
    if begun:
        yield _joined(word)


def _joined(pieces: list[str | Place]) -> Word:
    """Return the word with its characters put together."""
    parts: list[str | Place] = []
    for piece in pieces:
        if parts and isinstance(piece, str) and isinstance(parts[-1], str):
            parts[-1] += piece
        else:
            parts.append(piece)
    return tuple(parts) or ("",)


def _is_program(word: Word) -> bool:
    return word != ("",) and all(isinstance(part, str) for part in word)


def _check(word: Word) -> None:
    for part in word:
        if isinstance(part, Place) and part.name != FOLDER and len(word) > 1:
            raise ValueError(
                f"has {part.name} inside of a word; it becomes an option and its value,"
                " so put blanks around it"
            )
