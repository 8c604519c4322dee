"""Settings of whole machines: which there are, and what they are at first."""

from typing import NamedTuple

from sqlalchemy import Connection, select, update

from syncd.store.cyborg import tables
from syncd.store.sealing import Sealer

SECRET = ("password", "privatekey")
"""Types of which the value is sealed, and never told."""


class Default(NamedTuple):
    """A setting as it is at first."""

    key: str
    setting_type: str
    value: str
    group: str
    order: int


_GENERAL, _BACKUP, _MAIL = "1 - General", "2 - Backup", "3 - Mail"
_SSH, _METRICS = "4 - SSH", "5 - Metrics"
_NAME = "cyborgbackup_"

DEFAULTS = (
    Default("mail_system", "boolean", "True", _MAIL, 1),
    Default("web_enabled", "boolean", "True", _GENERAL, 1),
    Default("catalog_enabled", "boolean", "True", _GENERAL, 2),
    Default("auto_prune", "boolean", "True", _BACKUP, 1),
    Default("url", "string", "http://127.0.0.1:3862", _GENERAL, 4),
    Default("job_cleaning", "integer", "90", _BACKUP, 2),
    Default("ssh_password", "password", "", _SSH, 1),
    Default("mail_from", "string", "cyborg@cyborg.local", _MAIL, 2),
    Default("backup_user", "string", "root", _BACKUP, 3),
    Default("ssh_key", "privatekey", "", _SSH, 2),
    Default("auto_restore_test", "boolean", "", _GENERAL, 3),
    Default("mail_server", "string", "localhost", _MAIL, 3),
    Default("mail_username", "string", "", _MAIL, 4),
    Default("mail_password", "password", "", _MAIL, 5),
    Default("mail_port", "integer", "25", _MAIL, 6),
    Default("mail_tls", "boolean", "False", _MAIL, 7),
    Default("metrics_enabled", "boolean", "False", _METRICS, 1),
    Default("metrics_auth", "boolean", "True", _METRICS, 2),
    Default("metrics_auth_username", "string", "cyborg", _METRICS, 3),
    Default("metrics_auth_password", "password", "", _METRICS, 4),
    Default("integrity_check", "boolean", "False", _BACKUP, 4),
    Default("ic_cron", "string", "00 20 * * *", _BACKUP, 5),
)
"""Numbered from 1 on; clients know the numbers."""


def fill(db: Connection, now: float) -> None:
    """Keep the settings that are not kept yet."""
    table = tables.settings
    known = set(db.execute(select(table.c.id)).scalars())
    rows = [
        {
            **one._asdict(),
            "id": number,
            "key": _NAME + one.key,
            "created": now,
            "modified": now,
        }
        for number, one in enumerate(DEFAULTS, 1)
        if number not in known
    ]
    if rows:
        db.execute(table.insert(), rows)


def put(db: Connection, id_: int, value: str, *, sealer: Sealer, now: float) -> None:
    """Keep the value of a setting that is there."""
    table = tables.settings
    kind = db.execute(select(table.c.setting_type).where(table.c.id == id_)).scalar()
    kept = sealer.seal(value) if kind in SECRET else value
    db.execute(update(table).where(table.c.id == id_).values(value=kept, modified=now))


def values(db: Connection, sealer: Sealer) -> dict[str, str]:
    """Return all values by their short names, secrets opened."""
    rows = db.execute(select(tables.settings)).mappings()
    found = {one.key: one.value for one in DEFAULTS}
    for row in rows:
        secret = row["setting_type"] in SECRET
        name = row["key"].removeprefix(_NAME)
        found[name] = sealer.open(row["value"]) if secret else row["value"]
    return found
