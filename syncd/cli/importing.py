"""From the backup daemon's options to a configuration of ours, and what has none."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from syncd.config.variables import HOURLY, NEVER, is_shared, is_true
from syncd.config.vault_folders import BESIDE
from syncd.core import cron, retention
from syncd.errors import BadRequest

Options = Mapping[str, Any]

STORAGE = "/backup-storage"
LS = "ls -la %(data_folder)s"
"""The command that the original has where nothing is said."""

COMMANDS = {
    "command": "backup",
    "restore_command": "restore",
    "list_instances_in_vault_command": "list",
    "evict_command": "evict",
}
"""What commands are called there, and as options of ours."""

ALIKE = {
    "custom_vars": "variables",
    "must_have_env_vars": "must_have_env_vars",
    "instances_key": "databases_key",
    "map_key": "map_key",
    "termination_command": "terminate",
}
"""What is said once there, and of each source with us."""

DAEMON = {
    "enable_full_restore": "full_restore",
    "publish_custom_vars": "publish_variables",
    "allow_prefix": "prefixes",
}

NOT_NEEDED = {
    "logs_to_stdout": "what jobs say is in their logs: syncd log JOB",
}
NOT_THERE = (
    "s3_enabled",
    "s3_url",
    "s3_key_id",
    "s3_key_secret",
    "s3_bucket",
    "s3_ssl_verify",
    "s3_certs_path",
)


class Imported(NamedTuple):
    """A configuration, and remarks on what it could not take over."""

    document: dict[str, Any]
    remarks: list[str]


def imported(options: Options) -> Imported:
    """Return the configuration that does what these options do.

    What the original would do where nothing is said is said. No secret is given back.
    """
    remarks: list[str] = []
    whole = _section(options, "", remarks)
    whole["daemon"] = {"full_restore": False}
    for theirs, ours in DAEMON.items():
        if theirs in options:
            value = options[theirs]
            given = bool(value) if theirs == "allow_prefix" else _is_on(value)
            whole["daemon"][ours] = given
    if _is_on(options.get("incremental_enabled", False)):
        whole["incremental"] = _section(options, "incremental_", remarks)
    document: dict[str, Any] = {**_listening(options, remarks), "backup": whole}
    if level := str(_inner(options, "log").get("level", "")).lower():
        document["log"] = {"level": {"warn": "warning"}.get(level, level)}
    remarks += _not_taken(options)
    return Imported(document, remarks)


def _section(options: Options, prefix: str, remarks: list[str]) -> dict[str, Any]:
    """Return one store with what is backed up there."""
    storage = str(options.get("storage", STORAGE))
    if prefix:
        storage = str(options.get(f"{prefix}storage", f"{storage}/{BESIDE}"))
    defaults = ("1d/1d,1m/delete", "1d/delete") if prefix else _FULL
    section: dict[str, Any] = {
        "store": {"path": storage, **_elsewhere(options, prefix, remarks)},
        "source": _source(options, prefix),
        "schedule": list(_schedules(options, prefix, remarks)),
    }
    names = ("eviction", "granular_eviction")
    for name, default in zip(names, defaults, strict=True):
        policy = str(options.get(f"{prefix}{name}", default))
        try:
            retention.parse(policy)
        except BadRequest as error:
            remarks.append(f"{prefix}{name}: {error}; nothing is evicted by it now")
        else:
            section[name] = policy
    return section


def _elsewhere(options: Options, prefix: str, remarks: list[str]) -> dict[str, Any]:
    """Return where vaults lie that are asked for with externalBackupPath."""
    said = options.get(f"{prefix}storage_external")
    if not said:
        return {}
    others = options.get("storage_external")
    if prefix and others and is_shared(str(said), others):
        remarks.append(
            f"{prefix}storage_external: is the folder of storage_external, or one lies"
            " in the other; such vaults are below that of the others now"
        )
        return {}
    return {"elsewhere": str(said)}


_FULL = ("7d/7d,1y/delete", "7d/delete")


def _source(options: Options, prefix: str) -> dict[str, Any]:
    source: dict[str, Any] = {"kind": "command", "backup": LS}
    for theirs, ours in COMMANDS.items():
        if value := options.get(f"{prefix}{theirs}"):
            source[ours] = str(value)
    for theirs, ours in ALIKE.items():
        if value := options.get(theirs):
            source[ours] = value
    return source


def _schedules(
    options: Options, prefix: str, remarks: list[str]
) -> Iterator[dict[str, Any]]:
    default = "*/10 * * * *" if prefix else HOURLY
    yield from _timing(options, f"{prefix}schedule", default, remarks)
    names = _names(options.get("scheduled_dbs") or "")
    if names and not prefix:
        for timing in _timing(options, "granular_schedule", HOURLY, remarks):
            yield {**timing, "databases": names}


def _timing(
    options: Options, name: str, default: str, remarks: list[str]
) -> Iterator[dict[str, Any]]:
    said = options.get(name, default)
    text = "" if said is None else str(said).strip()
    if text.lower() in NEVER:
        return
    try:
        cron.parse(text)
    except BadRequest as error:
        remarks.append(f"{name}: {error}; there is no such schedule now")
    else:
        yield {"at": text}


def _names(said: Any) -> list[str]:
    some: Iterable[Any] = said if isinstance(said, list) else str(said).split(",")
    return [str(one).strip() for one in some if str(one).strip()]


def _listening(options: Options, remarks: list[str]) -> dict[str, Any]:
    """Return where to listen: the original's address beside ours."""
    host = str(options.get("broadcast_address", "0.0.0.0"))
    shown = f"[{host}]" if ":" in host else host
    if not _is_on(options.get("tls_enabled", False)):
        remarks.append(
            f"listen: the original is reached at {shown}:8080 without encryption; where"
            " that is wanted, add it, with insecure: true"
        )
        return {"listen": ["127.0.0.1:3862", "127.0.0.1:8080"]}
    folder = str(options.get("certs_path", "/tls/")).rstrip("/")
    return {
        "listen": [f"{shown}:{options.get('tls_port', 8443)}"],
        "tls": {"certificate": f"{folder}/tls.crt", "key": f"{folder}/tls.key"},
    }


def _not_taken(options: Options) -> Iterator[str]:
    if not options.get("command"):
        yield "command: is missing; the original then only lists the folder"
    for name, why in NOT_NEEDED.items():
        if name in options:
            yield f"{name}: has no counterpart; {why}"
    if _is_on(options.get("s3_enabled", False)):
        yield "s3_enabled: vaults lie in a folder here, not in an object store"
    known = {*COMMANDS, *ALIKE, *DAEMON, *NOT_NEEDED, *NOT_THERE, *_KNOWN}
    known |= {f"incremental_{name}" for name in (*COMMANDS, *_TWICE)}
    for name in options:
        if name not in known:
            yield f"{name}: is not known, and was left out"


_TWICE = (
    "storage",
    "storage_external",
    "schedule",
    "eviction",
    "granular_eviction",
    "enabled",
)
_KNOWN = (
    "storage",
    "storage_external",
    "schedule",
    "eviction",
    "granular_eviction",
    "granular_schedule",
    "scheduled_dbs",
    "broadcast_address",
    "tls_enabled",
    "tls_port",
    "certs_path",
    "log",
)


def _inner(options: Options, name: str) -> Options:
    value = options.get(name)
    return value if isinstance(value, dict) else {}


def _is_on(value: Any) -> bool:
    return value if isinstance(value, bool) else is_true(str(value))
