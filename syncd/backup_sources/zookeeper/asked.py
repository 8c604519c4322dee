"""What people ask of a ZooKeeper: nodes by their names, and modes."""

from collections.abc import Mapping
from typing import Any

from syncd.backup_sources.zookeeper.fetching import checked
from syncd.backup_sources.zookeeper.planning import Mode
from syncd.core.backup import Restoring, Wanted
from syncd.errors import BadRequest

HIERARCHICAL = "hierarchical"
TRANSACTIONAL = "transactional"
UNDO = "undo"
"""A restore of what was there before the last one of that vault."""


def names(databases: Any) -> list[str] | None:
    """Return the nodes that are named; None is all. Raise BadRequest."""
    if databases is None:
        return None
    if not isinstance(databases, list | tuple) or not databases:
        raise BadRequest("no nodes are named; name some, or leave them out")
    found = list(dict.fromkeys(checked(one) for one in databases))
    for name in found:
        inside = [one for one in found if name.startswith(f"{one}/")]
        if inside:
            raise BadRequest(f"{name} lies in {inside[0]}, which is named, too")
    return found


def backup_mode(wanted: Wanted) -> str:
    """Return how is to be backed up; raise BadRequest."""
    _check_known(wanted.variables)
    mode = wanted.variables.get("mode") or HIERARCHICAL
    if mode not in (HIERARCHICAL, TRANSACTIONAL):
        raise BadRequest(f"mode is {HIERARCHICAL} or {TRANSACTIONAL}, not {mode!r}")
    if mode == TRANSACTIONAL and wanted.databases is not None:
        raise BadRequest(
            "a transactional backup is of everything; leave out the databases, or say"
            f" {HIERARCHICAL}"
        )
    return str(mode)


def restore_mode(wanted: Restoring) -> Mode | None:
    """Return how what is there is treated; raise BadRequest.

    None: what was there before the last restore of the vault is to be brought back.
    """
    _check_known(wanted.variables)
    said = wanted.variables.get("mode") or Mode.REPLACE
    if said == UNDO:
        if wanted.databases is not None or wanted.paths or wanted.names:
            raise BadRequest(
                f"mode {UNDO} takes back all that a restore has done; leave out what"
                " to restore"
            )
        return None
    try:
        mode = Mode(said)
    except ValueError:
        known = ", ".join([*Mode, UNDO])
        raise BadRequest(f"mode of a restore is one of {known}, not {said!r}") from None
    if wanted.delete and mode is not Mode.REPLACE:
        raise BadRequest(f"delete does not go with mode {mode}")
    return mode


def _check_known(variables: Mapping[str, Any]) -> None:
    for name in variables:
        if name != "mode":
            raise BadRequest(f"a ZooKeeper takes the variable mode, not {name!r}")
