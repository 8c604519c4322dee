"""Single facts that must survive: each a text under a name."""

from sqlalchemy import Connection, delete, select

from syncd.store.schema import settings


def get(db: Connection, key: str) -> str | None:
    """Return the text under the name, None if there is none."""
    return db.execute(select(settings.c.value).where(settings.c.key == key)).scalar()


def put(db: Connection, key: str, value: str) -> None:
    """Keep the text under the name, in place of what was there."""
    db.execute(delete(settings).where(settings.c.key == key))
    db.execute(settings.insert().values(key=key, value=value))
