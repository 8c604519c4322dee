"""An entry's storage, opened beside the child that tends it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from syncd.backup_sources.contract import Storage
from syncd.drivers import loading
from syncd.drivers.contract import Can, Driver, Keeping, Sharing
from syncd.errors import StorageUntrusted


@asynccontextmanager
async def opened(storage: Storage) -> AsyncIterator[Driver]:
    """Lend the open driver of an entry, which insists on the entry's marker.

    Raise StorageUntrusted if the storage does not carry it, StorageError if it
    cannot be opened; neither says which entry it is, as those who ask do.
    """
    driver = loading.load(storage.driver).create(storage.options, storage.ignore)
    if Can.SHARE in driver.can:
        cast("Sharing", driver).share()
    if storage.promise is not None and Can.KEEP_LOST in driver.can:
        cast("Keeping", driver).keep(storage.promise)
    try:
        await driver.open()
        await _trust(driver, storage.marker)
        yield driver
    finally:
        await driver.close()


async def _trust(driver: Driver, wanted: str | None) -> None:
    found = await driver.marker()
    if found is None:
        # What an unmounted disk leaves behind is an empty folder.
        raise StorageUntrusted(
            "its storage carries no marker, so that syncd cannot know it; is"
            " it mounted? The entry's own start marks a new one"
        )
    if wanted is not None and found != wanted:
        raise StorageUntrusted(
            "its storage carries the marker of another; 'syncd status' says"
            " what to do about it"
        )
    await driver.mark(found)
