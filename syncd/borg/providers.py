"""Virtual machines: providers that know the command which prints one's image.

A package announces a provider in ``syncd.vm_providers``: a class with what Provider
has. Its words are run where the client is, so on the hypervisor.
"""

import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

from syncd.core.borg.variables import Dump
from syncd.errors import ConfigError

GROUP = "syncd.vm_providers"


class Provider(Protocol):
    """Knows how to read one kind of virtual machine."""

    name: str
    """For people."""
    variables: Mapping[str, Any]
    """What may be asked for, with examples of values."""

    def dump(self, variables: Mapping[str, Any]) -> Dump:
        """Return the command that prints the image of a machine.

        It must fail (exit code not 0) if that image is not whole. Raise BadRequest for
        variables that make no sense.
        """
        ...


def names() -> list[str]:
    """Return the providers that are installed, sorted."""
    return sorted(_announced(tuple(sys.path)))


def provider(name: str) -> Provider:
    """Return a provider; raise ConfigError if there is none, or it is broken."""
    point = _announced(tuple(sys.path)).get(name)
    if point is None:
        known = ", ".join(names()) or "none"
        raise ConfigError(
            f"there is no provider of virtual machines {name!r}; known: {known}"
        )
    try:
        return cast("Provider", point.load()())
    except Exception as error:  # noqa: BLE001 - a stranger's package may fail in any way
        raise ConfigError(
            f"the provider {name} cannot be loaded from {point.value}:"
            f" {type(error).__name__}: {error}; install its package anew"
        ) from None


def dump(name: str, variables: Mapping[str, Any]) -> Dump:
    """Return how a provider dumps; raise ConfigError or BadRequest."""
    return provider(name).dump(variables)


@cache
def _announced(_where: tuple[str, ...]) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
