"""Which store of vaults a command is about."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from syncd import config as configuration
from syncd.errors import ConfigError
from syncd.vaults.keys import Keys
from syncd.vaults.local import LocalStore

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT = "backups"
"""Folder of the vaults in the state folder."""


def at_store(command: Command) -> Command:
    """Give a command --store, --config and --identity."""
    for option in (_IDENTITY, _CONFIG, _STORE):
        command = option(command)
    return command


def store_at(
    store: Path | None, config: Path | None, identity: Path | None
) -> LocalStore:
    """Return the store that the command line means, which must exist.

    Raise NotFound if it does not, ConfigError for a wrong or missing key.
    """
    keys = None
    if identity is not None:
        try:
            keys = Keys(identity.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{identity}: {error}") from None
    return LocalStore(store or configured(config), keys=keys, make=False)


def configured(config: Path | None) -> Path:
    """Return the folder of the vaults by the configuration; raise ConfigError."""
    return configuration.read(config or Path("config/syncd.yaml")).state / DEFAULT


_STORE = click.option(
    "--store",
    type=click.Path(path_type=Path),
    envvar="SYNCD_VAULTS",
    help="The store's folder (or SYNCD_VAULTS).",
)
_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Whose store it is, if not --store.  [config/syncd.yaml]",
)
_IDENTITY = click.option(
    "--identity",
    type=click.Path(path_type=Path),
    envvar="SYNCD_VAULTS_IDENTITY",
    help="The key file of an encrypted store (or SYNCD_VAULTS_IDENTITY).",
)
