"""The first index: settings, entries, files."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "settings",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "entries",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("configured", sa.Boolean, nullable=False),
        sa.Column("marker", sa.Text, nullable=False, unique=True),
        sa.Column("marked", sa.Boolean, nullable=False),
        sa.Column("stopped", sa.Boolean, nullable=False),
        sa.Column("noted", sa.BigInteger, nullable=False),
        sa.Column("forget", sa.Boolean, nullable=False),
    )
    op.create_table(
        "files",
        sa.Column("id", _KEY, primary_key=True, autoincrement=True),
        sa.Column("path", sa.Text, nullable=False, unique=True),
        sa.Column("fid", sa.LargeBinary(16), nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("owners", sa.BigInteger, nullable=False),
        sa.Column("uptodate", sa.BigInteger, nullable=False),
        sa.Column("behind", sa.BigInteger, nullable=False),
        sa.Column("blocked", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("conflict", sa.Boolean, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("judge_at", sa.Float),
        sa.Column("record", sa.LargeBinary, nullable=False),
    )
    op.create_index("files_fid", "files", ["fid"])
    for name, columns, where in (
        ("files_behind", ["deleted", "id"], sa.text("behind != 0")),
        ("files_conflict", ["id"], sa.text("conflict")),
        ("files_judge_at", ["judge_at"], sa.text("judge_at IS NOT NULL")),
    ):
        op.create_index(
            name, "files", columns, sqlite_where=where, postgresql_where=where
        )
