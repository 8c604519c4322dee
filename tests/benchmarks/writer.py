"""python -m tests.benchmarks.writer FOLDER RATE: new small files, until ended."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = 128


@contextmanager
def writing(folder: Path, rate: int) -> Iterator[None]:
    """Let another process write so many new files a second into a new folder."""
    command = [sys.executable, "-m", __name__, str(folder), str(rate)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as writer:
        try:
            yield
            assert writer.poll() is None, "the writer ended"
        finally:
            writer.terminate()


def main(folder: Path, rate: int) -> None:
    """Write in even steps; after a delay, the missed ones follow at once."""
    folder.mkdir()
    begin = time.monotonic()
    number = 0
    while True:
        (folder / f"{number}").write_bytes(os.urandom(SIZE))
        number += 1
        time.sleep(max(0.0, begin + number / rate - time.monotonic()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
