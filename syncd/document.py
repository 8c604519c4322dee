"""A YAML text as plain values: every fault with its place, and which values are secret.

Only what JSON can say is accepted, so that a value never turns into something
its writer did not see (dates, binary), and each key counts once. Where that is
allowed, ``!env NAME`` and ``!file PATH`` stand for secrets that are kept elsewhere.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from syncd.text import printable

Place = tuple[str | int, ...]
"""Where a value stands: the keys and indexes that lead to it."""

MOST_VALUES = 100_000
"""More than this, aliases counted each time, is a mistake or an attack."""

LONGEST_SECRET = 1 << 20
"""Characters of a file that are read as a secret, whatever the file is."""

_STANDARD = "tag:yaml.org,2002:"
_PLAIN = {_STANDARD + kind for kind in ("null", "bool", "int", "float")}
_TEXT = {_STANDARD + kind for kind in ("str", "timestamp", "value")}
_MERGE = _STANDARD + "merge"
_KNOWN_TAGS = "only !env and !file are known"
_SURROGATE = re.compile("[\ud800-\udfff]")


class Fault(NamedTuple):
    """Something wrong, where, and what to do about it."""

    place: Place
    words: str


class Document(NamedTuple):
    """What a text says. With faults, the value is what could be made of the rest."""

    value: Any
    secrets: frozenset[str]
    faults: list[Fault]
    files: Mapping[Place, Path] = MappingProxyType({})
    """The files that secrets came from, by where these stand."""


def parse(data: bytes, folder: Path | None, most: int = MOST_VALUES) -> Document:
    """Return what the text says, unless that is more than ``most`` values.

    Paths of ``!file`` are relative to the folder; None allows no secrets.
    """
    reader = _Reader(folder, most)
    try:
        loader = yaml.SafeLoader(data.decode("utf-8-sig"))
        node = loader.get_single_node()
        value = None if node is None else reader.value(loader, node, ())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _broken(f"line {line} is not UTF-8; save the file as UTF-8")
    except yaml.YAMLError as error:
        return _broken(_yaml_words(error))
    except RecursionError:
        return _broken("is nested too deeply; no setting needs that")
    return Document(value, frozenset(reader.secrets), reader.faults, reader.files)


def shown(place: Place) -> str:
    """Return the place for people: ``entries.A.options``, empty for the whole file."""
    return ".".join(printable(str(part)) for part in place)


class _Reader:
    """Turns nodes into values and remembers what it met on the way."""

    def __init__(self, folder: Path | None, most: int) -> None:
        self.secrets: set[str] = set()
        self.faults: list[Fault] = []
        self.files: dict[Place, Path] = {}
        self._folder = folder
        self._most = most
        self._values = 0
        self._open: set[int] = set()

    def value(self, loader: yaml.SafeLoader, node: yaml.Node, place: Place) -> Any:
        """Return the node's value; None where it is faulty."""
        self._count()
        if node.tag in ("!env", "!file") and self._folder is not None:
            return self._secret(node, self._folder, place)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(loader, node, place)
        with self._entered(node):
            if isinstance(node, yaml.MappingNode) and node.tag == _STANDARD + "map":
                return self._mapping(loader, node, place)
            if isinstance(node, yaml.SequenceNode) and node.tag == _STANDARD + "seq":
                return [
                    self.value(loader, item, (*place, index))
                    for index, item in enumerate(node.value)
                ]
        return self._unknown(node, place)

    def _mapping(
        self, loader: yaml.SafeLoader, node: yaml.MappingNode, place: Place
    ) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged = {**self._merged(loader, value_node, place), **merged}
                continue
            key = self._key(key_node, place)
            if key is None:
                continue
            if key in result:
                words = f"stands twice ({_line(key_node)}); keep one"
                self.faults.append(Fault((*place, key), words))
            result[key] = self.value(loader, value_node, (*place, key))
        return {**merged, **result}

    def _merged(
        self, loader: yaml.SafeLoader, node: yaml.Node, place: Place
    ) -> dict[str, Any]:
        value = self.value(loader, node, place)
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            words = f"<< takes mappings only ({_line(node)}); name one by *ALIAS"
            self.faults.append(Fault(place, words))
            return {}
        return {key: part[key] for part in reversed(parts) for key in part}

    def _key(self, node: yaml.Node, place: Place) -> str | None:
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _TEXT:
            words = f"has a key that is not text ({_line(node)}); put the key in quotes"
            self.faults.append(Fault(place, words))
            return None
        return self._text(node, place)

    def _scalar(
        self, loader: yaml.SafeLoader, node: yaml.ScalarNode, place: Place
    ) -> Any:
        if node.tag in _TEXT:
            return self._text(node, place)
        if node.tag not in _PLAIN:
            return self._unknown(node, place)
        try:
            value = loader.construct_object(node)
        except (ValueError, LookupError, AttributeError, yaml.YAMLError):
            value = math.nan
        if isinstance(value, float) and not math.isfinite(value):
            kind = node.tag.removeprefix(_STANDARD)
            words = f"is not a usable {kind} ({_line(node)}); put it in quotes for text"
            self.faults.append(Fault(place, words))
            return None
        return value

    def _text(self, node: yaml.ScalarNode, place: Place) -> str | None:
        if "\0" not in node.value and not _SURROGATE.search(node.value):
            return str(node.value)
        words = f"holds NUL or half a character ({_line(node)}); take it out"
        self.faults.append(Fault(place, words))
        return None

    def _secret(self, node: yaml.Node, folder: Path, place: Place) -> str | None:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            words = f"{node.tag} takes one name ({_line(node)}); write {node.tag} NAME"
            self.faults.append(Fault(place, words))
            return None
        name = self._text(node, place)
        if name is None:
            return None
        text, trouble = _looked_up(node.tag, folder, name)
        if trouble:
            self.faults.append(Fault(place, trouble))
        if text:
            self.secrets.add(text)
        if text and node.tag == "!file":
            self.files[place] = folder / name
        return text

    def _unknown(self, node: yaml.Node, place: Place) -> None:
        tag = printable(str(node.tag)).removeprefix(_STANDARD)
        remedy = "take it out" if self._folder is None else _KNOWN_TAGS
        words = f"has the unknown tag {tag} ({_line(node)}); {remedy}"
        self.faults.append(Fault(place, words))

    def _count(self) -> None:
        self._values += 1
        if self._values > self._most:
            raise yaml.YAMLError(f"holds more than {self._most:,} values; shorten it")

    @contextmanager
    def _entered(self, node: yaml.Node) -> Iterator[None]:
        if id(node) in self._open:
            raise yaml.YAMLError(f"an alias contains itself ({_line(node)}); undo that")
        self._open.add(id(node))
        yield
        self._open.discard(id(node))


def _looked_up(tag: str, folder: Path, name: str) -> tuple[str | None, str]:
    """Return the secret's text, or what is wrong with it."""
    if tag == "!env":
        if text := os.environ.get(name):
            return _usable(text, f"the environment variable {name}")
        words = "is empty" if name in os.environ else "is not set"
        return None, f"the environment variable {name} {words}; set it"
    path = folder / name
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST_SECRET).rstrip("\r\n")
    except UnicodeDecodeError:
        return None, f"{path} is not UTF-8; save it as UTF-8"
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        return None, f"cannot read {path}: {why}; make it readable for syncd"
    if not text:
        return None, f"{path} is empty; write the secret into it"
    return _usable(text, str(path))


def _usable(text: str, where: str) -> tuple[str | None, str]:
    if "\0" in text or _SURROGATE.search(text):
        return None, f"{where} is not UTF-8 text; syncd takes text only"
    return text, ""


def _broken(words: str) -> Document:
    return Document(None, frozenset(), [Fault((), words)])


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


def _yaml_words(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        problem = printable(str(error.problem or error.context))
        tab = "; indent with blanks" if r"\t" in problem else "; correct the YAML there"
        return f"line {mark.line + 1}, column {mark.column + 1}: {problem}{tab}"
    if isinstance(error, yaml.reader.ReaderError):
        number = (
            error.character
            if isinstance(error.character, int)
            else ord(error.character)
        )
        return f"the character U+{number:04X} may not stand in YAML; take it out"
    return printable(str(error))
