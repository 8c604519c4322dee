"""Drivers by name, as installed packages announce them by entry points."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple, cast

from syncd.drivers.contract import Driver
from syncd.errors import ConfigError

GROUP = "syncd.drivers"


class Schema(NamedTuple):
    """What people may know of a driver: a sentence, and its options as JSON Schema."""

    description: str
    options: dict[str, Any]


def names() -> list[str]:
    """Return the names of the installed drivers, sorted."""
    return sorted(_announced())


def load(name: str) -> type[Driver]:
    """Return the driver.

    Raise ConfigError if there is none of that name, or if its package is broken.
    """
    point = _announced().get(name)
    if point is None:
        known = ", ".join(names()) or "none"
        raise ConfigError(f"there is no driver {name!r}; known: {known}")
    try:
        return cast("type[Driver]", point.load())
    except Exception as error:  # noqa: BLE001 - a stranger's package may fail in any way
        raise ConfigError(
            f"the driver {name!r} cannot be loaded from {point.value}:"
            f" {type(error).__name__}: {error}; install its package anew"
        ) from None


def schemas() -> dict[str, Schema]:
    """Return every driver that can be loaded, with what its options may say."""
    found = {}
    for name in names():
        try:
            driver = load(name)
        except ConfigError:
            continue  # told to whoever configures it
        first = (driver.__doc__ or "").strip().partition("\n")[0]
        found[name] = Schema(first, driver.Options.model_json_schema())
    return found


def _announced() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
