"""Where the benchmarks work: folders kept until the end, and a stocked daemon."""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.benchmarks import trees
from tests.benchmarks.followers import Following, until_copied
from tests.benchmarks.ours import POLL, Placed, Stock


class Workshop:
    """One folder for everything, removed as a whole at the end.

    Nothing is removed before: a filesystem from which thousands of files were
    just deleted is slow for minutes.
    """

    def __init__(self, place: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ab", dir=place))
        self._made = 0
        self._stocks: dict[tuple[int, int], Stock] = {}
        self._lent = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._lent.close()
        finally:
            shutil.rmtree(self.folder)

    def new_folder(self) -> Path:
        """Return a folder that was never used."""
        self._made += 1
        path = self.folder / str(self._made)
        path.mkdir()
        return path

    def stock(self, files: int, size: int) -> Stock:
        """Return the stopped daemon that holds so many files; made when first asked."""
        key = files, size
        if key not in self._stocks:
            self._stocks[key] = self._make_stock(files, size)
        return self._stocks[key]

    def _make_stock(self, files: int, size: int) -> Stock:
        roots = {"A": self.new_folder(), "B": self.new_folder()}
        trees.fill(roots["A"], files, size)
        daemon = self._lent.enter_context(Placed(self.new_folder(), roots))
        begun = daemon.start_unready()
        tool = Following(begun, [daemon.pid], daemon.holds, POLL)
        first = until_copied(tool, files)
        daemon.stop()
        trees.assert_equal(*roots.values())
        return Stock(daemon, files, first)
