"""Copying a vault's files out, whole or not at all."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from syncd.core.vault import ItemKind
from syncd.errors import BadRequest
from syncd.vaults import zipped
from syncd.vaults.coding import CHUNK
from syncd.vaults.contract import Count
from syncd.vaults.durable import telling
from syncd.vaults.listing import Located
from syncd.vaults.tar import END, header, padding
from syncd.vaults.unpacking import unpack
from syncd.vaults.vault import LocalVault


def export_to(
    vault: LocalVault,
    items: Sequence[Located],
    destination: Path,
    *,
    below: Sequence[str] = (),
    force: bool = False,
    count: Count,
) -> None:
    """Write the items, which are those below, to a .zip, a .tar or a folder.

    Raise BadRequest if there is something and we are not to replace it, StorageError
    if it cannot be written or the vault is damaged; then all is as before.
    """
    with _replacing(destination, force=force) as fresh:
        if destination.suffix == ".zip":
            _write(fresh, zipped.stream(vault, items), count)
        elif destination.suffix == ".tar":
            _write(fresh, _tar(vault, items), count)
        else:
            with telling(fresh):
                fresh.mkdir()
            unpack(vault, fresh, below, count)


def _write(path: Path, chunks: Iterator[bytes], count: Count) -> None:
    with telling(path), path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
            count(len(chunk), 0)


def _tar(vault: LocalVault, items: Sequence[Located]) -> Iterator[bytes]:
    files = vault.open([item for item in items if item.kind is ItemKind.FILE])
    for item in items:
        yield header(item)
        if item.kind is ItemKind.FILE:
            _, content = next(files)
            while chunk := content.read(CHUNK):
                yield chunk
            yield padding(item.size)
    yield END


@contextmanager
def _replacing(destination: Path, *, force: bool) -> Iterator[Path]:
    """Lend a name beside the destination; it takes its place when all went well."""
    with telling(destination):
        if destination.is_dir() and any(destination.iterdir()):
            raise BadRequest(f"{destination} is a folder with something in it")
        if destination.is_file() and not force:
            raise BadRequest(f"{destination} exists; --force replaces it")
        fresh = destination.with_name(f".syncd-{uuid4().hex}")
        try:
            yield fresh
            fresh.replace(destination)
        except BaseException:
            if fresh.is_dir():
                shutil.rmtree(fresh)
            fresh.unlink(missing_ok=True)
            raise
