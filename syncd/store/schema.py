"""The tables of the index, as the newest migration leaves them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    false,
)

metadata = MetaData()

KEY = BigInteger().with_variant(Integer, "sqlite")
"""A row number that counts up: SQLite does that for INTEGER only."""

settings = Table(
    "settings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

entries = Table(
    "entries",
    metadata,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("configured", Boolean, nullable=False),
    Column("marker", Text, nullable=False, unique=True),
    Column("marked", Boolean, nullable=False),
    Column("stopped", Boolean, nullable=False),
    Column("noted", BigInteger, nullable=False),
    Column("forget", Boolean, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("alarm", Text, primary_key=True),
    Column("since", Float, nullable=False),
    Column("passed", Integer, nullable=False, server_default="0"),
    Column("passed_since", Float),
    Column("decision", Text),
    Column("decided_at", Float),
)

files = Table(
    "files",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("path", Text, nullable=False, unique=True),
    Column("fid", LargeBinary(16), nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("owners", BigInteger, nullable=False),
    Column("uptodate", BigInteger, nullable=False),
    Column("behind", BigInteger, nullable=False),
    Column("blocked", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("conflict", Boolean, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("judge_at", Float),
    Column("record", LargeBinary, nullable=False),
    Column("held", BigInteger, nullable=False, server_default="0"),
    # The columns beside ``record`` repeat what is in it, to be searched by.
)

Index("files_fid", files.c.fid)
Index(
    "files_behind",
    files.c.deleted,
    files.c.id,
    sqlite_where=files.c.behind != 0,
)
Index(
    "files_conflict",
    files.c.id,
    sqlite_where=files.c.conflict,
)
Index(
    "files_judge_at",
    files.c.judge_at,
    sqlite_where=files.c.judge_at.is_not(None),
)
Index(
    "files_held",
    files.c.id,
    sqlite_where=files.c.held != 0,
)

users = Table(
    "users",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("email", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("first_name", Text, nullable=False, server_default=""),
    Column("last_name", Text, nullable=False, server_default=""),
    Column("notify_backup_daily", Boolean, nullable=False, server_default=false()),
    Column("notify_backup_weekly", Boolean, nullable=False, server_default=false()),
    Column("notify_backup_monthly", Boolean, nullable=False, server_default=false()),
    Column("notify_backup_success", Boolean, nullable=False, server_default=false()),
    Column("notify_backup_failed", Boolean, nullable=False, server_default=false()),
    Column("notify_backup_summary", Boolean, nullable=False, server_default=false()),
    # ``epoch`` counts up when the password changes or the user is disabled: what
    # was handed out before (sessions, signed tokens) names an older one and is void.
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("secret", LargeBinary(32), nullable=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("actions", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("used_at", Float),
    Column("revoked_at", Float),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", LargeBinary(32), primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("who", Text, nullable=False),
    Column("means", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", SmallInteger),
    Column("reason", Text, nullable=False),
)

Index("sessions_expires_at", sessions.c.expires_at)
Index("audit_at", audit.c.at)

jobs = Table(
    "jobs",
    metadata,
    Column("number", KEY, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("vault", Text),
    Column("key", Text),
    Column("open", Boolean, nullable=False),
    Column("record", LargeBinary, nullable=False),
    # The columns beside ``record`` repeat what is in it, to be searched by.
)

Index("jobs_open", jobs.c.number, sqlite_where=jobs.c.open)
Index("jobs_vault", jobs.c.vault)
Index(
    "jobs_key",
    jobs.c.store,
    jobs.c.key,
    unique=True,
    sqlite_where=jobs.c.key.is_not(None),
)

vaults = Table(
    "vaults",
    metadata,
    Column("store", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("made", Float, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

vault_names = Table(
    "vault_names",
    metadata,
    Column("store", Text, primary_key=True),
    Column("name", Text, primary_key=True),
)

transactions = Table(
    "transactions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("started", Float, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

attachments = Table(
    "attachments",
    metadata,
    Column("store", Text, primary_key=True),
    Column("backup", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
