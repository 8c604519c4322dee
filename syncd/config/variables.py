"""The variables of the environment that the backup daemon knows, as they are.

Each one that is set counts in place of what the configuration says. It is all done
before anything is checked, so that what a variable says is checked like the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from syncd.config.vault_folders import BESIDE
from syncd.core import cron, retention
from syncd.document import Fault
from syncd.errors import BadRequest

Said = dict[str, Any]
"""A configuration, or a section of it."""

TRUE = frozenset({"true", "1", "t", "y", "yes", "on"})
NEVER = frozenset({"", "none"})
"""What is said of a schedule that there is not to be."""

HOURLY = "0 * * * *"
"""When databases of their own are backed up, where nothing else is said."""

LISTEN = "127.0.0.1:3862"
"""Where we listen where nothing is said."""

EVERYWHERE = ("0.0.0.0", "::")
PLAIN_PORT, TLS_PORT = "8080", "8443"
"""Where the original listens."""

CERTIFICATES = "/tls"
"""The folder of its certificate and key."""

Apply = Callable[[Said, str, str], None]
"""Puts into a section what a variable, of that name, says."""


def applied(
    said: Any, environment: Mapping[str, str]
) -> tuple[Any, list[str], list[Fault]]:
    """Return a configuration with what the environment says in its place.

    Also which variables did so, and what is wrong with them. What is no mapping is
    given back as it is: others say what is wrong with it.
    """
    names = [name for name in APPLIES if name in environment]
    if not names or not isinstance(said, dict) or not _is_sound(said):
        return said, [], []
    said, faults = _copied(said), []
    for name in names:
        try:
            APPLIES[name](said, name, environment[name].strip())
        except BadRequest as error:
            faults.append(Fault((), f"{name}: {error}"))
    if not faults:
        _reach(said, environment)
    return said, names, faults


def is_true(text: str) -> bool:
    """Tell whether a switch is on."""
    return text.lower() in TRUE


def _copied(said: Any) -> Any:
    """Return the same of which every part may be changed."""
    if isinstance(said, dict):
        return {key: _copied(value) for key, value in said.items()}
    return [_copied(one) for one in said] if isinstance(said, list) else said


def _is_sound(said: Said) -> bool:
    """Tell whether what is put into is what it should be; else it is only checked."""
    section = said.get("backup")
    others = all(_is(said.get(key), dict) for key in ("log", "tls"))
    if not (_is(section, dict) and others and _is(said.get("listen"), list)):
        return False
    inner = (section or {}).get("incremental")
    return all(_is(one, dict) and _is_section(one or {}) for one in (section, inner))


def _is_section(said: Said) -> bool:
    parts = all(_is(said.get(key), dict) for key in ("store", "source", "daemon"))
    timings = said.get("schedule")
    return (
        parts
        and _is(timings, list)
        and all(isinstance(one, dict) for one in timings or [])
    )


def _is(value: Any, kind: type) -> bool:
    return value is None or isinstance(value, kind)


def _section(said: Said, *keys: str) -> Said:
    """Return the section at the end of the keys, made where it is missing."""
    for key in keys:
        if said.get(key) is None:
            said[key] = {}
        said = said[key]
    return said


def _at(*keys: str) -> Apply:
    """Return what puts a text where the keys lead to."""
    *way, last = keys

    def put(said: Said, _: str, text: str) -> None:
        if text:
            _section(said, *way)[last] = text

    return put


def _switch(*keys: str) -> Apply:
    *way, last = keys

    def put(said: Said, _: str, text: str) -> None:
        _section(said, *way)[last] = is_true(text)

    return put


def _given(*keys: str) -> Apply:
    """Return what switches on as soon as anything is said."""
    *way, last = keys

    def put(said: Said, _: str, text: str) -> None:
        _section(said, *way)[last] = bool(text)

    return put


def _policy(*keys: str) -> Apply:
    put = _at(*keys)

    def check(said: Said, name: str, text: str) -> None:
        if text:
            retention.parse(text)
        put(said, name, text)
        # It counts in place of what the file says, which may be counts.
        *way, which = keys
        section = _section(said, *way)
        counts = which.replace("eviction", "keep")
        if section.get(which) is not None:
            section.pop(counts, None)

    return check


def _command(which: str, *way: str) -> Apply:
    """Return what makes a command the source, or changes the one that is."""

    def put(said: Said, name: str, text: str) -> None:
        section = _section(said, *way)
        if section.get("sources"):
            raise BadRequest(
                "there are several sources; set their commands in the file"
            )
        if text:
            source = section.get("source") or {}
            kept = source if source.get("kind") == "command" else {}
            section["source"] = {**kept, "kind": "command", which: text}

    return put


def _schedule(partial: bool, *way: str) -> Apply:
    """Return what replaces the schedules of all, or those of chosen databases."""

    def put(said: Said, _: str, text: str) -> None:
        section = _section(said, *way)
        timings = section.get("schedule") or []
        alike = [one for one in timings if bool(one.get("databases")) == partial]
        section["schedule"] = [one for one in timings if one not in alike]
        if text.lower() in NEVER:
            return
        cron.parse(text)
        new = alike if partial else alike[:1] or [{}]
        section["schedule"] += [{**one, "at": text} for one in new]

    return put


def _databases(said: Said, _: str, text: str) -> None:
    section = _section(said, "backup")
    timings = section.get("schedule") or []
    section["schedule"] = [one for one in timings if not one.get("databases")]
    if names := list(_listed(text)):
        at = next((one["at"] for one in timings if one.get("databases")), HOURLY)
        section["schedule"].append({"at": at, "databases": names})


def _incremental(said: Said, _: str, text: str) -> None:
    section = _section(said, "backup")
    if not is_true(text):
        section["incremental"] = None
        return
    inner = _section(section, "incremental")
    path = (section.get("store") or {}).get("path")
    if path and not (inner.get("store") or {}).get("path"):
        _section(inner, "store")["path"] = f"{path}/{BESIDE}"


def _where_incremental(apply: Apply) -> Apply:
    """Return what does so only where there are incremental backups."""

    def put(said: Said, name: str, text: str) -> None:
        if (said.get("backup") or {}).get("incremental") is not None:
            apply(said, name, text)

    return put


def _level(said: Said, _: str, text: str) -> None:
    levels = {"critical": "error", "fatal": "error", "warn": "warning"}
    if text:
        level = text.lower()
        _section(said, "log")["level"] = levels.get(level, level)


def _elsewhere_incremental(said: Said, _: str, text: str) -> None:
    """Say where; both stores would take the vaults of a common folder for theirs."""
    others = (said["backup"].get("store") or {}).get("elsewhere")
    if not text:
        return
    if others is not None and is_shared(text, others):
        raise BadRequest(
            "it is the folder of STORAGE_EXTERNAL, or one of them lies in the other;"
            " each store looks after its own, so give it a folder for itself"
        )
    _section(said, "backup", "incremental", "store")["elsewhere"] = text


def is_shared(folder: str, other: Any) -> bool:
    """Tell whether one folder is the other, or lies in it."""
    one, two = PurePath(folder), PurePath(str(other))
    return one.is_relative_to(two) or two.is_relative_to(one)


def _protection(said: Said, _: str, text: str) -> None:
    there = said.get("tls") is not None
    if is_true(text) and not there:
        said["tls"] = _certificates(CERTIFICATES)
    if not is_true(text) and there:
        raise BadRequest("the file says tls; take that out, or unset the variable")


def _certificates_in(said: Said, _: str, text: str) -> None:
    if text and said.get("tls") is not None:
        said["tls"] = _certificates(text.rstrip("/"))


def _certificates(folder: str) -> Said:
    return {"certificate": f"{folder}/tls.crt", "key": f"{folder}/tls.key"}


def _port(_: Said, __: str, text: str) -> None:
    """Look at it only: where to listen takes several variables."""
    sound = text.isascii() and text.isdecimal() and len(text) < 6
    if text and not (sound and 0 < int(text) < 65536):
        raise BadRequest(f"{text[:60]!a} is no port")


def _host(_: Said, __: str, ___: str) -> None:
    """Nothing yet, as above; what is no address is told as such."""


def _reach(said: Said, environment: Mapping[str, str]) -> None:
    """Add the address at which the original would be reached, where it is said."""
    host = environment.get("BROADCAST_ADDRESS", "").strip()
    tls = said.get("tls") is not None
    port = environment.get("TLS_PORT", "").strip() if tls else ""
    if not (host or port):
        return
    host, port = host or EVERYWHERE[0], port or (TLS_PORT if tls else PLAIN_PORT)
    new = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    before = said.get("listen") or [LISTEN]
    said["listen"] = [one for one in before if not _is_covered(one, host, port, new)]
    said["listen"].append(new)


def _is_covered(one: Any, host: str, port: str, new: str) -> bool:
    """Tell whether an address cannot be listened on beside the new one."""
    return one == new or (
        host in EVERYWHERE and isinstance(one, str) and one.endswith(f":{port}")
    )


def _refused(why: str, *, is_on: Callable[[str], bool] = is_true) -> Apply:
    """Return what refuses a switch that is on, as nothing here would follow it."""

    def refuse(_: Said, __: str, text: str) -> None:
        if is_on(text):
            raise BadRequest(f"{why}; unset it")

    return refuse


_no_objects = _refused("vaults lie in a folder here, not in an object store")


def _listed(text: str) -> Iterable[str]:
    return (name.strip() for name in text.split(",") if name.strip())


def _incremental_ones() -> Iterator[tuple[str, Apply]]:
    inner = ("backup", "incremental")
    yield "INCREMENTAL_STORAGE", _at(*inner, "store", "path")
    yield "INCREMENTAL_STORAGE_EXTERNAL", _elsewhere_incremental
    yield "INC_BACKUP_SCHEDULE", _schedule(False, *inner)
    yield "INC_EVICTION_POLICY", _policy(*inner, "eviction")
    yield "INC_GRANULAR_EVICTION_POLICY", _policy(*inner, "granular_eviction")
    yield "INC_BACKUP_COMMAND", _command("backup", *inner)
    yield "INC_RESTORE_COMMAND", _command("restore", *inner)
    yield "INC_LIST_COMMAND", _command("list", *inner)


APPLIES: dict[str, Apply] = {
    "STORAGE": _at("backup", "store", "path"),
    "STORAGE_EXTERNAL": _at("backup", "store", "elsewhere"),
    "BACKUP_SCHEDULE": _schedule(False, "backup"),
    # First which databases, then when.
    "SCHEDULED_DBS": _databases,
    "GRANULAR_SCHEDULE": _schedule(True, "backup"),
    "EVICTION_POLICY": _policy("backup", "eviction"),
    "GRANULAR_EVICTION_POLICY": _policy("backup", "granular_eviction"),
    "BACKUP_COMMAND": _command("backup", "backup"),
    "RESTORE_COMMAND": _command("restore", "backup"),
    "LIST_COMMAND": _command("list", "backup"),
    "EVICT_CMD": _command("evict", "backup"),
    "ENABLE_FULL_RESTORE": _switch("backup", "daemon", "full_restore"),
    "ALLOW_PREFIX": _given("backup", "daemon", "prefixes"),
    "WATCH_NAMESPACE": _at("backup", "daemon", "namespace"),
    "DATA_VALIDATION_ENABLED": _switch("backup", "daemon", "data_validation"),
    "ENABLE_INCREMENTAL": _incremental,
    **{name: _where_incremental(apply) for name, apply in _incremental_ones()},
    # First whether, then with which.
    "TLS_ENABLED": _protection,
    "CERTS_PATH": _certificates_in,
    "TLS_PORT": _port,
    "BROADCAST_ADDRESS": _host,
    "S3_ENABLED": _no_objects,
    "S3_ALIASES_USED": _no_objects,
    "SKIP_LOCK_CHECK": _refused("what is not finished is never listed"),
    "LOGS_TO_STDOUT": _refused(
        "what jobs say is in their logs (syncd log JOB), not on the standard output"
    ),
    "MARKER_SET_COMMAND": _refused(
        "no command is told of a marker, which is kept here and can be read", is_on=bool
    ),
    "LOG_LEVEL": _level,
}
"""What each variable does, in the order in which they are looked at."""
