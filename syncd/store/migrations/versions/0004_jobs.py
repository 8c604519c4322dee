"""Jobs of backups, the catalogue of vaults, and the names that were given away."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "jobs",
        sa.Column("number", _KEY, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("store", sa.Text, nullable=False),
        sa.Column("vault", sa.Text),
        sa.Column("key", sa.Text),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
    )
    op.create_index("jobs_vault", "jobs", ["vault"])
    for name, columns, unique, where in (
        ("jobs_open", ["number"], False, sa.text("open")),
        ("jobs_key", ["store", "key"], True, sa.text("key IS NOT NULL")),
    ):
        op.create_index(
            name,
            "jobs",
            columns,
            unique=unique,
            sqlite_where=where,
            postgresql_where=where,
        )
    op.create_table(
        "vaults",
        sa.Column("store", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("made", sa.Float, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "vault_names",
        sa.Column("store", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
    )
