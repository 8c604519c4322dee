"""Changes that are held until a person decides."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of what is held, and the column that finds held files."""
    op.create_table(
        "holds",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("alarm", sa.Text, primary_key=True),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("passed", sa.Integer, nullable=False, server_default="0"),
        sa.Column("passed_since", sa.Float),
        sa.Column("decision", sa.Text),
        sa.Column("decided_at", sa.Float),
    )
    held = sa.Column("held", sa.BigInteger, nullable=False, server_default="0")
    op.add_column("files", held)
    where = sa.text("held != 0")
    op.create_index(
        "files_held", "files", ["id"], sqlite_where=where, postgresql_where=where
    )
