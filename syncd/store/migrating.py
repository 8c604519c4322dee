"""Brings an older index to the newest form, step by step, with Alembic."""

from pathlib import Path

from alembic.command import upgrade
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from syncd.errors import Unavailable

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(connection: Connection, file: Path) -> None:
    """Take every step that is missing; raise Unavailable for an index of the future."""
    # Python's driver begins no transaction for CREATE TABLE and the like; without
    # one, a crash would leave the tables of half a step.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        upgrade(config, "head")
    except CommandError:
        raise Unavailable(_NEWER.format(file)) from None


_NEWER = (
    "the index {} was made by a newer syncd: install that version again; or move the "
    "file away, with its -wal and -shm, and a new one is made from the entries"
)
