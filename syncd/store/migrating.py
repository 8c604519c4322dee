"""Brings an older index to the newest form, step by step, with Alembic."""

from pathlib import Path

from alembic.command import upgrade
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from syncd.errors import Unavailable

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(connection: Connection) -> None:
    """Take every step that is missing; raise Unavailable for an index of the future."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        upgrade(config, "head")
    except CommandError:
        raise Unavailable("the index was made by a newer syncd") from None
