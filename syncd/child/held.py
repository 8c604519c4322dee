"""Folders of the ledger held in memory while many of their paths are asked for."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncd.child.ledger import Known

FOLDERS = 64
"""Folders remembered; the one not asked for longest goes first."""

MOST = 500
"""Paths of a folder that is worth holding; a larger one is asked path by path."""

OFTEN = 3
"""Questions about a folder after which it is read as a whole."""


class Held:
    """Answers for folders that are asked for again and again.

    A first copy asks several times for every path of a folder: one query for
    all of them costs less than one for each. Whoever writes to the ledger must
    ``drop`` the folders before anybody asks again.
    """

    def __init__(
        self,
        read: "Callable[[str], Sequence[Known]]",
        some: Callable[[str, int], Sequence[str]],
    ) -> None:
        """``read`` gives all of a folder, ``some`` at most that many paths and one."""
        self._read = read
        self._some = some
        self._asked: OrderedDict[str, int] = OrderedDict()
        self._folders: dict[str, dict[str, Known] | None] = {}

    def of(self, folder: str) -> "dict[str, Known] | None":
        """Return all that is known in the folder, by path; None: ask for each."""
        times = self._asked.get(folder, 0) + 1
        self._asked[folder] = times
        self._asked.move_to_end(folder)
        if len(self._asked) > FOLDERS:
            self._forget(self._asked.popitem(last=False)[0])
        if times < OFTEN:
            return None
        if folder not in self._folders:
            self._folders[folder] = self._whole(folder)
        return self._folders[folder]

    def drop(self, folders: Iterable[str]) -> None:
        """Forget folders that were written to."""
        for folder in folders:
            self._forget(folder)

    def clear(self) -> None:
        """Forget everything."""
        self._asked.clear()
        self._folders.clear()

    def _whole(self, folder: str) -> "dict[str, Known] | None":
        paths: Collection[str] = self._some(folder, MOST)
        if len(paths) > MOST:
            return None
        return {known.seen.path: known for known in self._read(folder)}

    def _forget(self, folder: str) -> None:
        self._folders.pop(folder, None)
