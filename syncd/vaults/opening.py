"""Making and opening the folder of a store: is it one, and is the key the right one?"""

import errno
import os
from pathlib import Path
from uuid import uuid4

import msgspec
from msgspec import Struct

from syncd.errors import ConfigError, NotFound, StorageError, StorageUntrusted
from syncd.vaults.durable import replace, telling, write_all
from syncd.vaults.keys import Keys

VAULTS = "vaults"
STAGING = "staging"
QUARANTINE = "quarantine"
REMOVING = "removing"
LOCKS = "locks"
MARKS = "marks"
"""A file for each vault that is pinned or was verified."""
LOCK = "lock"

_FOLDERS = (VAULTS, STAGING, QUARANTINE, REMOVING, LOCKS, MARKS)
_STORE = "store.json"
_KEY_CHECK = "key-check.age"
_NAMES = "names"
_FORMAT = 1
_HARMLESS = {"lost+found", "elsewhere", "inc-backup-storage"}
"""What may lie in a folder that becomes a store; the last two hold other stores."""


class _Store(Struct, frozen=True):
    format: int
    id: str
    encrypted: bool


def opened(
    root: Path, keys: Keys | None, *, make: bool, id: str = ""
) -> tuple[Path, str]:
    """Return the folder, which is a store now, and its id; nothing is read before.

    With an ``id`` it must be that store: else raise StorageUntrusted, and nothing was
    done. Raise ConfigError for another key than it was made with, StorageError where
    no store can be, NotFound if there is none and none is to be made.
    """
    root = root.absolute()
    with telling(root):
        store = _known(root)
        if id and (store is None or store.id != id):
            raise StorageUntrusted(_stranger(root, store))
        if store is None:
            if not make:
                raise NotFound(f"{root} is no store of vaults")
            store = _made(root, keys)
        _compare(root, store, keys)
        for name in _FOLDERS:
            _make_folder(root / name)
    return root, store.id


def below(top: Path) -> list[Path]:
    """Return the folders below one, and itself, that are stores, in order."""
    found = []
    for folder, names, files in os.walk(top):
        if _STORE in files:
            found.append(Path(folder))
            names[:] = [name for name in names if name not in _FOLDERS]
    return sorted(found)


class UsedNames:
    """The names that vaults of a store ever had: a file that only grows."""

    def __init__(self, root: Path) -> None:
        self._path = root / _NAMES

    def __contains__(self, name: str) -> bool:
        try:
            return name.encode() in self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return False

    def add(self, name: str) -> None:
        """Add a name, durably; raise OSError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
            write_all(descriptor, b"\n" * bool(torn) + name.encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _known(root: Path) -> _Store | None:
    try:
        text = (root / _STORE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        store = msgspec.json.decode(text, type=_Store)
    except msgspec.DecodeError as error:
        raise StorageError(f"{root / _STORE} cannot be read: {error}") from None
    if store.format != _FORMAT:
        raise StorageError(
            f"{root} is a store of format {store.format}; this syncd knows {_FORMAT}"
        )
    return store


def _stranger(root: Path, store: _Store | None) -> str:
    found = "no vaults are there" if store is None else "other vaults are there"
    return (
        f"{root} is not the vault store that was here before: {found}; mount its disk,"
        " or bring the folder back; to begin anew, name another folder in store.path"
    )


def _made(root: Path, keys: Keys | None) -> _Store:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    ours = {f".syncd-{_STORE}", _KEY_CHECK, f".syncd-{_KEY_CHECK}"}
    strangers = {path.name for path in root.iterdir()} - _HARMLESS - ours
    if strangers:
        raise StorageError(
            f"{root} is no store of vaults, and {min(strangers)} lies in it;"
            " choose an empty folder"
        )
    store = _Store(_FORMAT, str(uuid4()), keys is not None)
    if keys is not None:
        replace(root / _KEY_CHECK, keys.encrypt(store.id.encode()))
    # Last: with it the folder is a store.
    replace(root / _STORE, msgspec.json.encode(store) + b"\n")
    return store


def _compare(root: Path, store: _Store, keys: Keys | None) -> None:
    if store.encrypted and keys is None:
        raise ConfigError(f"the vaults in {root} are encrypted; give their key")
    if keys is None:
        return
    if not store.encrypted:
        raise ConfigError(
            f"the vaults in {root} are not encrypted; for encrypted ones choose another"
            " folder, or give no key"
        )
    try:
        check = keys.decrypt((root / _KEY_CHECK).read_bytes(), _KEY_CHECK)
    except StorageError:
        raise ConfigError(
            f"the vaults in {root} were encrypted with another key than this one"
        ) from None
    if check != store.id.encode():
        raise ConfigError(f"{root / _KEY_CHECK} belongs to another store")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
