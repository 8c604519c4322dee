"""Which store of vaults a command is about."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from syncd import config as configuration
from syncd.config import backup
from syncd.config.vault_folders import FOLDERS
from syncd.errors import ConfigError
from syncd.vaults.keys import Keys
from syncd.vaults.local import LocalStore

Command = TypeVar("Command", bound=Callable[..., Any])


def at_store(command: Command) -> Command:
    """Give a command --store, --config and --identity."""
    for option in (_IDENTITY, _CONFIG, _STORE):
        command = option(command)
    return command


def store_at(
    store: Path | None, config: Path | None, identity: Path | None
) -> LocalStore:
    """Return the store that the command line means, which must exist.

    Its folder and key are those of the configuration, where nothing else is said.
    Raise NotFound if it does not exist, ConfigError for a wrong or missing key.
    """
    keys = None
    if identity is not None:
        try:
            keys = Keys(identity.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{identity}: {error}") from None
    if store is None:
        store, encrypt = configured(config or Path("config/syncd.yaml"))
        if keys is None and encrypt is not None:
            keys = Keys(encrypt.identity, encrypt.recipients)
    return LocalStore(store, keys=keys, make=False)


def configured(config: Path) -> tuple[Path, backup.Encrypt | None]:
    """Return folder and key of the vaults by the configuration; raise ConfigError."""
    said = configuration.read(config)
    store = backup.read(said.backup).store
    if store.kind != "local":
        raise ConfigError(f"{config}: the vaults lie in no folder, but in {store.kind}")
    return store.path or said.state / FOLDERS["full"], store.encrypt


_STORE = click.option(
    "--store",
    type=click.Path(path_type=Path),
    envvar="SYNCD_VAULTS",
    help="The store's folder (or SYNCD_VAULTS).",
)
_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Whose store it is, if not --store, and by whose key it is read."
    "  [config/syncd.yaml]",
)
_IDENTITY = click.option(
    "--identity",
    type=click.Path(path_type=Path),
    envvar="SYNCD_VAULTS_IDENTITY",
    help="The key file of an encrypted store (or SYNCD_VAULTS_IDENTITY), if not that of"
    " --config.",
)
