"""Which of the folders that tell nothing to look into next, and at what pace."""

from collections.abc import Iterator

EVERY = 2.0
"""Seconds that a folder rests between two looks into it, at least."""

SHARE = 0.1
"""The part of the time that looking into folders may take."""

IDLE = 0.5
"""Seconds to rest when there was nothing to look into."""


def rest(took: float, folders: int) -> float:
    """Return how many seconds to rest after looks into so many folders took so many."""
    return took * (1 / SHARE - 1) if folders else IDLE


class Polling:
    """Folders in the order in which somebody looked into them, longest ago first.

    Times are seconds on any clock that never goes back. A folder that is new here
    counts as looked into at that moment: whatever made it known is walked.
    """

    def __init__(self) -> None:
        self._looked: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._looked)

    def __contains__(self, folder: object) -> bool:
        return folder in self._looked

    def __iter__(self) -> Iterator[str]:
        """Give the folders, the one looked into longest ago first."""
        return iter(self._looked)

    def add(self, folder: str, now: float) -> None:
        """Have the folder looked into from now on; one that is here already stays."""
        self._looked.setdefault(folder, now)

    def discard(self, folder: str) -> None:
        """Look into the folder no more."""
        self._looked.pop(folder, None)

    def discard_tree(self, folder: str) -> None:
        """Look no more into the folder, nor into those below it."""
        below = f"{folder}/" if folder else ""
        for one in [f for f in self._looked if f == folder or f.startswith(below)]:
            del self._looked[one]

    def due(self, now: float, most: int) -> list[str]:
        """Return the folders to look into now; they count as looked into."""
        folders: list[str] = []
        for folder, looked in self._looked.items():
            if len(folders) == most or looked + EVERY > now:
                break
            folders.append(folder)
        for folder in folders:
            del self._looked[folder]
            self._looked[folder] = now
        return folders

    def walked(self, since: float) -> None:
        """Take in that every folder was looked into at or after that moment."""
        self._looked = {f: max(looked, since) for f, looked in self._looked.items()}

    def oldest(self, now: float) -> float | None:
        """Return for how many seconds some folder was not looked into; None: none is
        here."""
        return next((now - looked for looked in self._looked.values()), None)
