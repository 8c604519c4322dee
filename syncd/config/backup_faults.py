"""What is wrong with the ``backup`` section, beyond what its models refuse."""

import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError

from syncd.backup_sources import registry
from syncd.config.backup import DEFAULT, FURTHER, Backup
from syncd.document import Fault, Place
from syncd.errors import ConfigError

InWords = Callable[[ValidationError, type[BaseModel]], list[Fault]]


def faults(said: Any, in_words: InWords) -> list[Fault]:
    """Return what is wrong with the section, each with its place in the whole."""
    place: Place = ("backup",)
    if not isinstance(said, dict):
        return [Fault(place, "is not a mapping; write KEY: VALUE below it")]
    found: list[Fault] = []
    try:
        Backup.model_validate_json(json.dumps(said), strict=True)
    except ValidationError as error:
        found = [Fault((*place, *f.place), f.words) for f in in_words(error, Backup)]
    inner = [((name,), said.get(name)) for name in FURTHER]
    for inside, section in [((), said), *inner]:
        if isinstance(section, dict):
            found += _together((*place, *inside), section, in_words)
    return found


def _together(place: Place, said: dict[str, Any], in_words: InWords) -> list[Fault]:
    found = _sources(place, said, in_words)
    names = said.get("sources")
    known = list(names) if isinstance(names, dict) and names else [DEFAULT]
    for number, timing in _items(said.get("schedule")):
        source = timing.get("source", DEFAULT)
        if isinstance(source, str) and source not in (*known, DEFAULT):
            words = f"names no source; known: {', '.join(map(str, known))}"
            found.append(Fault((*place, "schedule", number, "source"), words))
    for kind in ("", "granular_"):
        counts, policy = f"{kind}keep", f"{kind}eviction"
        if said.get(policy) is not None and said.get(counts) is not None:
            words = f"cannot stand beside {policy}; say one of them"
            found.append(Fault((*place, counts), words))
    hooks = said.get("hooks")
    hooks = hooks if isinstance(hooks, dict) else {}
    for when in ("before", "after"):
        for number, hook in _items(hooks.get(when)):
            if bool(hook.get("command")) == bool(hook.get("url")):
                words = "needs either a command or a url; give one of them"
                found.append(Fault((*place, "hooks", when, number), words))
    return found


def _items(value: Any) -> list[tuple[int, dict[str, Any]]]:
    some = value if isinstance(value, list) else []
    return [(number, one) for number, one in enumerate(some) if isinstance(one, dict)]


def _sources(place: Place, said: dict[str, Any], in_words: InWords) -> list[Fault]:
    many, one = said.get("sources"), said.get("source")
    if many and one:
        words = "cannot stand beside sources; put it among them, with a name"
        return [Fault((*place, "source"), words)]
    found = []
    if isinstance(one, dict):
        found += _source((*place, "source"), one, in_words)
    for name, source in many.items() if isinstance(many, dict) else ():
        if isinstance(source, dict):
            found += _source((*place, "sources", name), source, in_words)
    return found


def _source(place: Place, said: dict[str, Any], in_words: InWords) -> list[Fault]:
    kind = said.get("kind")
    if not isinstance(kind, str) or not kind:
        return [Fault((*place, "kind"), "is missing; write kind: entries, or another")]
    if ":" in kind:
        return []  # Of a package that announces nothing; it checks its options itself.
    try:
        model = registry.options(kind)
    except ConfigError as error:
        return [Fault((*place, "kind"), str(error))]
    options = {key: value for key, value in said.items() if key != "kind"}
    try:
        model.model_validate_json(json.dumps(options), strict=True)
    except ValidationError as error:
        found = in_words(error, model)
        return [Fault((*place, *fault.place), fault.words) for fault in found]
    return []
