"""Whether the folders of vaults are apart: from one another, entries and the state."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from syncd.document import Fault, Place
from syncd.text import printable

FOLDERS = {
    "full": "backups",
    "incremental": "incremental-backups",
    "optools": "optools-backups",
}
"""Where vaults lie in the state folder, unless another folder is said."""

ELSEWHERE = "elsewhere"
"""Folder, in that of the vaults, of those that are kept in folders of their own."""

BESIDE = "inc-backup-storage"
"""Folder that may lie in that of the vaults: where incremental ones were once."""


class Kept(NamedTuple):
    """A folder that holds vaults."""

    place: Place
    said: bool
    """Whether the file names it."""
    store: str
    real: Path
    what: str

    def may_hold(self, other: "Kept") -> bool:
        """Tell whether the other's place in this one is as it should be."""
        if self.store == other.store:
            return other.real == self.real / ELSEWHERE
        beside = self.real / BESIDE
        return self.place[-1] == "path" and other.real.is_relative_to(beside)


def faults(
    said: Mapping[str, Any], state: Path, others: Mapping[str, Path]
) -> Iterator[Fault]:
    """Give what is wrong with the folders of a section, which may be unsound.

    ``others`` are the folders of entries, by what they are called.
    """
    kept = _all_kept(said, state)
    for outer, inner_one in _pairs(kept):
        if not outer.may_hold(inner_one):
            wrong, other = (inner_one, outer) if inner_one.said else (outer, inner_one)
            words = f"{_where(wrong, other.real)} {other.what}"
            yield Fault(wrong.place, f"{words}; name a folder of its own")
    for one in kept:
        for called, folder in others.items():
            if _meet(one.real, folder):
                words = f"{_where(one, folder)} the {called}: it would be copied into"
                yield Fault(one.place, f"{words} itself; name a folder of its own")
        if state.is_relative_to(one.real):
            words = f"{_where(one, state)} the state folder"
            yield Fault(one.place, f"{words}; name a folder of its own")


def keys(
    said: Mapping[str, Any], state: Path, secrets: Mapping[Place, Path]
) -> Iterator[Fault]:
    """Give the keys that lie with what they encrypt: who has that, has them.

    ``secrets`` are the files that secrets came from, by where these stand.
    """
    kept = _all_kept(said, state)
    for place, file in secrets.items():
        if place[-2:] != ("encrypt", "identity"):
            continue
        real = file.resolve()
        if any(real.is_relative_to(one.real) for one in kept):
            words = f"{printable(str(file))} lies among the vaults that it encrypts"
            yield Fault(place, f"{words}; keep it elsewhere")


def _all_kept(said: Mapping[str, Any], state: Path) -> list[Kept]:
    kept = [*_kept(("backup",), "full", said, state)]
    for name in ("incremental", "optools"):
        inner = said.get(name)
        if isinstance(inner, dict):
            kept += _kept(("backup", name), name, inner, state)
        elif name == "optools":  # There is always one.
            kept += _kept(("backup", name), name, {}, state)
    return kept


def _kept(
    place: Place, store: str, section: Mapping[str, Any], state: Path
) -> Iterator[Kept]:
    """Give the folders of one store; what is no path is told by others."""
    said = section.get("store")
    said = said if isinstance(said, dict) else {}
    try:
        path = Path(said.get("path") or state / FOLDERS[store]).resolve()
        elsewhere = Path(said.get("elsewhere") or path / ELSEWHERE).resolve()
    except (OSError, RuntimeError, TypeError, ValueError):
        return
    place = (*place, "store")
    name = "vaults" if store == "full" else f"{store} vaults"
    yield Kept((*place, "path"), bool(said.get("path")), store, path, f"the {name}")
    what = f"the {name} in folders of their own"
    named = bool(said.get("elsewhere"))
    yield Kept((*place, "elsewhere"), named, store, elsewhere, what)


def _pairs(kept: list[Kept]) -> Iterator[tuple[Kept, Kept]]:
    """Give those of which one lies in the other, or is it, the outer one first."""
    for one, two in combinations(kept, 2):
        if two.real.is_relative_to(one.real):
            yield one, two
        elif one.real.is_relative_to(two.real):
            yield two, one


def _meet(one: Path, two: Path) -> bool:
    return one.is_relative_to(two) or two.is_relative_to(one)


def _where(one: Kept, other: Path) -> str:
    """Return how a folder lies to another one."""
    if one.real == other:
        how = "is the folder of"
    else:
        inside = one.real.is_relative_to(other)
        how = "lies in the folder of" if inside else "holds the folder of"
    return f"{printable(str(one.real))} {how}"
