"""Contents out of a vault, in portions that a driver writes at once."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import BinaryIO, Self

from syncd.core.vault import Item
from syncd.drivers.contract import Content
from syncd.errors import StorageError
from syncd.vaults.contract import Vault

MOST = 200
MOST_BYTES = 32 << 20
"""What of small files is kept in memory at once."""

SMALL = 1 << 20
CHUNK = 1 << 20


class Portion:
    """Contents, or why there is none, in order; closed when it is left."""

    def __init__(self) -> None:
        self.contents: list[tuple[Item, Content | StorageError]] = []
        self._descriptors: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)

    def add_small(self, item: Item, data: bytes) -> None:
        """Add a content that is in memory; drivers are quickest with descriptors."""
        descriptor = os.memfd_create("restored", os.MFD_CLOEXEC)
        self._descriptors.append(descriptor)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        self.contents.append((item, descriptor))


class Giving:
    """Goes through the contents of a vault's files, in the vault's own order."""

    def __init__(self, vault: Vault, items: Sequence[Item]) -> None:
        self._vault = vault
        self._items = items
        self._number = 0
        """Of the items, how many were given."""
        self._open: Iterator[tuple[Item, BinaryIO]] | None = None
        self._ready: tuple[Item, BinaryIO] | None = None

    async def next(self) -> Portion | None:
        """Return the next portion; None when there is nothing more.

        A portion must be left before the next is asked for.
        """
        portion = Portion()
        try:
            await asyncio.to_thread(self._fill, portion)
        except BaseException:
            portion.__exit__(None, None, None)
            raise
        return portion if portion.contents else None

    def _fill(self, portion: Portion) -> None:
        size = 0
        while len(portion.contents) < MOST and size < MOST_BYTES:
            given = self._ready or self._next(portion)
            if given is None:
                return
            item, file = given
            if item.size > SMALL and portion.contents:
                self._ready = given
                return
            self._ready = None
            self._number += 1
            if item.size > SMALL:
                portion.contents.append((item, partial(_chunks, file)))
                return
            size += item.size
            try:
                portion.add_small(item, file.read())
            except StorageError as error:
                portion.contents.append((item, error))

    def _next(self, portion: Portion) -> tuple[Item, BinaryIO] | None:
        while self._number < len(self._items):
            if self._open is None:
                self._open = self._vault.open(self._items[self._number :])
            try:
                return next(self._open)
            except StorageError as error:
                # It gives nothing more, but what comes after may be sound.
                self._open = None
                portion.contents.append((self._items[self._number], error))
                self._number += 1
        return None


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, CHUNK):
        yield chunk
