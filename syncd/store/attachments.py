"""What somebody has attached to a backup: under names, beside the vault."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from syncd.store.schema import attachments


def put(db: Connection, store: str, backup: str, name: str, content: bytes) -> None:
    """Keep a content under the name, in place of what was there."""
    there = (
        (attachments.c.store == store)
        & (attachments.c.backup == backup)
        & (attachments.c.name == name)
    )
    db.execute(delete(attachments).where(there))
    row = {"store": store, "backup": backup, "name": name, "content": content}
    db.execute(attachments.insert().values(row))


def names(db: Connection, store: str, backup: str) -> Sequence[str]:
    """Return the names of what is attached, in order."""
    found = (
        select(attachments.c.name)
        .where(attachments.c.store == store, attachments.c.backup == backup)
        .order_by(attachments.c.name)
    )
    return list(db.execute(found).scalars())


def get(db: Connection, store: str, backup: str, name: str) -> bytes:
    """Return what is attached under a name; empty if there is nothing."""
    found = select(attachments.c.content).where(
        attachments.c.store == store,
        attachments.c.backup == backup,
        attachments.c.name == name,
    )
    content: bytes | None = db.execute(found).scalar()
    return content or b""


def backups(db: Connection, store: str) -> Sequence[str]:
    """Return the backups that anything is attached to."""
    found = select(attachments.c.backup).where(attachments.c.store == store).distinct()
    return list(db.execute(found).scalars())


def forget(db: Connection, store: str, gone: Sequence[str]) -> None:
    """Forget what was attached to backups that are gone."""
    for backup in gone:
        there = (attachments.c.store == store) & (attachments.c.backup == backup)
        db.execute(delete(attachments).where(there))
