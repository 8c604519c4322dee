"""Drivers by name, as installed packages announce them by entry points.

A package announces a driver twice under one name: the class in ``syncd.drivers``,
the model of its options in ``syncd.driver_options``.
"""

import sys
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, cast

from syncd.drivers.loading import broken
from syncd.drivers.options import Options
from syncd.errors import ConfigError

GROUP = "syncd.drivers"
OPTIONS = "syncd.driver_options"

OURS = {
    GROUP: {
        "local_storage": "syncd.drivers.local_storage.storage:LocalStorage",
        "memory": "syncd.drivers.memory:Memory",
    },
    OPTIONS: {
        "local_storage": "syncd.drivers.local_storage.options:LocalStorageOptions",
        "memory": "syncd.drivers.options:MemoryOptions",
    },
}
"""What we announce ourselves, known without a look at every installed package."""


class Schema(NamedTuple):
    """What people may know of a driver: a sentence, and its options as JSON Schema."""

    description: str
    options: dict[str, Any]


def names() -> list[str]:
    """Return the names of the installed drivers, sorted."""
    return sorted(_announced(GROUP))


def reference(name: str) -> str:
    """Return where the driver of that name is, for loading.load.

    Raise ConfigError if there is none.
    """
    place = _place(GROUP, name)
    if place is None:
        known = ", ".join(names()) or "none"
        raise ConfigError(f"there is no driver {name!r}; known: {known}")
    return place


def options(name: str) -> type[Options]:
    """Return the model of a driver's options.

    Raise ConfigError if there is no such driver, or if its package is broken.
    """
    driver = reference(name)
    place = _place(OPTIONS, name)
    if place is None:
        return Options
    module, _, model = place.partition(":")
    try:
        return cast("type[Options]", getattr(import_module(module), model))
    except Exception as error:  # noqa: BLE001 - a stranger's package may fail in any way
        raise broken(driver, error) from None


def schemas() -> dict[str, Schema]:
    """Return every driver whose options can be loaded, with what these may say."""
    found = {}
    for name in names():
        try:
            model = options(name)
        except ConfigError:
            continue  # told to whoever configures it
        first = (model.__doc__ or "").strip().partition("\n")[0]
        found[name] = Schema(first, model.model_json_schema())
    return found


def _place(group: str, name: str) -> str | None:
    return OURS[group].get(name) or _announced(group).get(name)


def _announced(group: str) -> dict[str, str]:
    return _found(group, tuple(sys.path))


@cache
def _found(group: str, _where: tuple[str, ...]) -> dict[str, str]:
    # Asked for again and again; to look means to read of every installed package; what
    # looks is itself loaded only for that.
    metadata = import_module("importlib.metadata")
    return {point.name: point.value for point in metadata.entry_points(group=group)}
