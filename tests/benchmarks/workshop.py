"""Where the benchmarks work: folders kept until the end, and daemons in them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.acceptance.daemon import Daemon


class Workshop:
    """One folder for everything, removed as a whole at the end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ab", dir="/tmp"))
        self._made = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)

    def new_folder(self) -> Path:
        """Return a folder that was never used."""
        self._made += 1
        path = self.folder / str(self._made)
        path.mkdir()
        return path

    @contextmanager
    def daemon(self) -> Iterator[Daemon]:
        """Lend a daemon that is not started; stop it at the end, delete nothing."""
        daemon = Daemon("A", "B", started=False, home=self.new_folder())
        with daemon:
            yield daemon
