"""A source by its reference; all that a worker needs of the registry."""

from importlib import import_module
from typing import cast

from syncd.backup_sources.contract import Source
from syncd.errors import ConfigError


def load(reference: str) -> type[Source]:
    """Return the source that ``module:name`` refers to.

    Raise ConfigError if its package is broken.
    """
    module, _, name = reference.partition(":")
    try:
        return cast("type[Source]", getattr(import_module(module), name))
    except Exception as error:  # noqa: BLE001 - a stranger's package may fail in any way
        raise broken(reference, error) from None


def broken(reference: str, error: Exception) -> ConfigError:
    """Return what to tell people of a package that cannot be loaded."""
    return ConfigError(
        f"a source of backups cannot be loaded from {reference}:"
        f" {type(error).__name__}: {error}; install its package anew"
    )
