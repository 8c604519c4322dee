"""A store of vaults by its options, as a worker is handed them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from syncd.vaults.keys import Keys
from syncd.vaults.local import LocalStore


def local(options: Mapping[str, Any]) -> LocalStore:
    """Return the store in ``path``, made if there is none.

    ``compress`` may be ``zstd``; with ``identity``, and further ``recipients``, it is
    encrypted; with an ``id`` it must be that store. Raise ConfigError for another key
    than it was made with, StorageError where no store can be, StorageUntrusted if it is
    another store.
    """
    identity = options.get("identity")
    keys = Keys(identity, options.get("recipients", ())) if identity else None
    compress = options.get("compress") == "zstd"
    id = str(options.get("id", ""))
    return LocalStore(Path(options["path"]), compress=compress, keys=keys, id=id)
