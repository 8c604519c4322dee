"""Sources of backups by kind, as installed packages announce them by entry points.

A package announces a source twice under one name: the class in
``syncd.backup_sources``, the model of its options in ``syncd.backup_source_options``.
"""

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple, cast

from syncd.backup_sources.loading import broken
from syncd.backup_sources.options import SourceOptions
from syncd.errors import ConfigError

GROUP = "syncd.backup_sources"
OPTIONS = "syncd.backup_source_options"


class Schema(NamedTuple):
    """What people may know of a source: a sentence, and its options as JSON Schema."""

    description: str
    options: dict[str, Any]


def names() -> list[str]:
    """Return the kinds of sources that are installed, sorted."""
    return sorted(_announced(GROUP))


def reference(name: str) -> str:
    """Return where the source of that kind is, for loading.load.

    Raise ConfigError if there is none.
    """
    try:
        return _announced(GROUP)[name].value
    except KeyError:
        known = ", ".join(names()) or "none"
        raise ConfigError(
            f"there is no source of backups of kind {name!r}; known: {known}"
        ) from None


def options(name: str) -> type[SourceOptions]:
    """Return the model of a source's options.

    Raise ConfigError if there is no such source, or if its package is broken.
    """
    place = reference(name)
    point = _announced(OPTIONS).get(name)
    if point is None:
        return SourceOptions
    try:
        return cast("type[SourceOptions]", point.load())
    except Exception as error:  # noqa: BLE001 - a stranger's package may fail in any way
        raise broken(place, error) from None


def schemas() -> dict[str, Schema]:
    """Return every source whose options can be loaded, with what these may say."""
    found = {}
    for name in names():
        try:
            model = options(name)
        except ConfigError:
            continue  # told to whoever configures it
        first = (model.__doc__ or "").strip().partition("\n")[0]
        found[name] = Schema(first, model.model_json_schema())
    return found


def _announced(group: str) -> dict[str, EntryPoint]:
    return _found(group, tuple(sys.path))


@cache
def _found(group: str, _where: tuple[str, ...]) -> dict[str, EntryPoint]:
    # Asked for again and again; to look means to read of every installed package.
    return {point.name: point for point in entry_points(group=group)}
