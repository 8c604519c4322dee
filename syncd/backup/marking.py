"""The note of which backup was last found to be good, by whoever looks."""

from syncd.store import settings
from syncd.store.database import Store

KEY = "backup/marker"


class Notes:
    """One note, kept in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self) -> str | None:
        """Return it; None if nobody has left one."""
        return await self._store.read(settings.get, KEY)

    async def put(self, marker: str, *, who: str) -> None:
        """Keep it in place of the one before."""
        await self._store.run(settings.put, KEY, marker)
