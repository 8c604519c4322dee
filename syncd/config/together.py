"""What no value can check alone: drivers' options, and entries beside one another."""

import json
import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from syncd.config.access import address
from syncd.core.address import is_loopback
from syncd.core.file import MAX_SLOTS
from syncd.document import Fault, Place
from syncd.drivers import registry
from syncd.drivers.options import Options
from syncd.errors import ConfigError
from syncd.text import printable

LONGEST_SOCKET = 104
"""Bytes that a Unix socket's path must stay below, on every system."""

SOCKET_ROOM = len("/run/") + 24
"""Bytes that a socket's path adds to the state folder, at most."""

InWords = Callable[[ValidationError, type[BaseModel]], list[Fault]]


class Folder(NamedTuple):
    """A local folder that somebody writes to, as written and as it really is."""

    place: Place
    written: str
    real: Path


def faults(said: Any, in_words: InWords, secrets: Mapping[Place, Path]) -> list[Fault]:
    """Return what is wrong between the parts of a configuration, sound or not.

    ``said`` is what the file says, unchecked; what has the wrong shape is left
    to the values' own checks. ``secrets`` are the files that secrets came from.
    """
    said = said if isinstance(said, dict) else {}
    entries = said.get("entries")
    entries = entries if isinstance(entries, dict) else {}
    found = [*_reach(said), *_names(entries), *_preferences(entries)]
    found += _keeping(entries)
    folders = []
    for name, entry in entries.items():
        options, wrong = _options(name, entry, in_words)
        found += wrong
        folders += _folders(name, options, found) if options else []
    state = _real(("state",), said.get("state", "var"), found)
    if said.get("backup") is not None:
        # Loaded only by those who say something of it.
        from syncd.config import backup_faults, vault_folders  # noqa: PLC0415

        found += backup_faults.faults(said["backup"], in_words)
        if state and isinstance(said["backup"], dict):
            entry_folders = {_whose(one.place): one.real for one in folders}
            found += vault_folders.faults(said["backup"], state.real, entry_folders)
            found += vault_folders.keys(said["backup"], state.real, secrets)
    if state:
        found += _state_length(state)
        folders.append(state)
    return found + list(_overlaps(folders))


def _reach(said: dict[str, Any]) -> Iterator[Fault]:
    listen = said.get("listen")
    if said.get("tls") is not None or said.get("insecure") is True:
        return
    for number, written in enumerate(listen if isinstance(listen, list) else []):
        try:
            host, _ = address(written)
        except ValueError:
            continue  # That is told elsewhere.
        if not is_loopback(host):
            words = (
                f"{printable(written)} can be reached from other machines, and nothing"
                " protects passwords on the way; set tls: {certificate: FILE, key:"
                " FILE}, or insecure: true if something else does, or listen on"
                " 127.0.0.1"
            )
            yield Fault(("listen", number), words)


def _names(entries: dict[str, Any]) -> Iterator[Fault]:
    if len(entries) > MAX_SLOTS:
        words = f"are {len(entries)}, and {MAX_SLOTS} is the most; take some out"
        yield Fault(("entries",), words)
    first: dict[str, str] = {}
    for name in entries:
        other = first.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            words = f"differs from {printable(other)} only in case; rename one"
            yield Fault(("entries", name), words)


def _preferences(entries: dict[str, Any]) -> Iterator[Fault]:
    for name, entry in entries.items():
        conflict = entry.get("conflict") if isinstance(entry, dict) else None
        prefer = conflict.get("prefer") if isinstance(conflict, dict) else None
        for wish in prefer if isinstance(prefer, list) else []:
            if isinstance(wish, str) and wish not in entries:
                words = f"names the unknown entry {printable(wish)}; name known ones"
                yield Fault(("entries", name, "conflict", "prefer"), words)


def _keeping(entries: dict[str, Any]) -> Iterator[Fault]:
    for name, entry in entries.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("driver"), str):
            continue
        driver = entry["driver"]
        off = _keeps_nothing(entry.get("keep"))
        able = _can_keep(driver)
        cannot = f"the driver {printable(driver)} keeps nothing"
        if entry.get("on_unmatch") == "trash" and (off or not able):
            words = "keep is off here; write keep: true, or delete"
            words = words if able else f"{cannot}; write keep, or delete"
            yield Fault(("entries", name, "on_unmatch"), f"cannot be trash: {words}")
        elif "keep" in entry and not (off or able):
            words = f"cannot be: {cannot}; write false, or leave it out"
            yield Fault(("entries", name, "keep"), words)


def _keeps_nothing(keep: Any) -> bool:
    return keep is False or (isinstance(keep, dict) and keep.get("days") == 0)


def _can_keep(driver: str) -> bool:
    try:
        return registry.options(driver).keeps_lost
    except ConfigError:
        return True  # That there is no such driver is told elsewhere.


def _options(
    name: str, entry: Any, in_words: InWords
) -> tuple[Options | None, list[Fault]]:
    """Return the options as the driver sees them, and what is wrong with them."""
    if not isinstance(entry, dict) or not isinstance(entry.get("driver"), str):
        return None, []
    try:
        model = registry.options(entry["driver"])
    except ConfigError as error:
        return None, [Fault(("entries", name, "driver"), str(error))]
    options = entry.get("options", {})
    if not isinstance(options, dict):
        return None, []
    try:
        return model.model_validate_json(json.dumps(options), strict=True), []
    except ValidationError as error:
        return None, [
            Fault(("entries", name, "options", *fault.place), fault.words)
            for fault in in_words(error, model)
        ]


def _folders(name: str, options: Options, found: list[Fault]) -> list[Folder]:
    place = ("entries", name, "options")
    folders = [
        _real((*place, option), written, found)
        for option, written in options.folders().items()
    ]
    return [folder for folder in folders if folder]


def _real(place: Place, written: Any, found: list[Fault]) -> Folder | None:
    if not isinstance(written, str):
        return None
    try:
        return Folder(place, written, Path(written).resolve())
    except (OSError, RuntimeError, ValueError) as error:
        found.append(Fault(place, f"is no usable path: {error}; name another folder"))
        return None


def _state_length(state: Folder) -> Iterator[Fault]:
    room = LONGEST_SOCKET - SOCKET_ROOM - 1
    length = len(os.fsencode(state.real))
    if length > room:
        words = (
            f"is {length} bytes long as {printable(str(state.real))}, and sockets in it"
            f" allow {room}; name a folder with a shorter path"
        )
        yield Fault(state.place, words)


def _overlaps(folders: list[Folder]) -> Iterator[Fault]:
    for first, second in combinations(folders, 2):
        inner, outer = second, first
        if not inner.real.is_relative_to(outer.real):
            inner, outer = first, second
        if inner.real.is_relative_to(outer.real):
            how = "is the same folder as" if inner.real == outer.real else "lies inside"
            words = (
                f"{printable(inner.written)} {how} {printable(outer.written)}, the"
                f" {_whose(outer.place)}; files would be copied into themselves,"
                " name separate folders"
            )
            yield Fault(inner.place, words)


def _whose(place: Place) -> str:
    if place == ("state",):
        return "state folder"
    return f"{printable(str(place[-1]))} of {printable(str(place[1]))}"
