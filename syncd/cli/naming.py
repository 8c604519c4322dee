"""Which file a path on the command line means: a name, or a place on this disk."""

import os
from collections.abc import Callable
from pathlib import Path

from syncd.cli.client import Answer, Client
from syncd.core import path as paths
from syncd.errors import NotFound


def asked(daemon: Client, path: str, ask: Callable[[str], Answer]) -> Answer:
    """Return what ``ask`` answers for the id of the file that the path means.

    That is the file of that name or, if there is none, the one that lies there.
    Raise NotFound if that is none either.
    """
    try:
        return ask(_fid(path))
    except NotFound:
        inside = inside_an_entry(daemon, path)
    if inside is not None:
        return ask(_fid(inside))
    raise NotFound(f"no file {path} is known; names are as `syncd files` shows them")


def _fid(path: str) -> str:
    return paths.fid(paths.checked(paths.from_bytes(os.fsencode(path))))


def inside_an_entry(daemon: Client, path: str) -> str | None:
    """Return the name a place on this disk has inside an entry; None if it has none."""
    place = Path(path).absolute()
    for entry in daemon.get("/entries").document["entries"]:
        root = entry["options"].get("root")
        if root is not None and place.is_relative_to(Path(root).absolute()):
            return str(place.relative_to(Path(root).absolute()))
    return None
