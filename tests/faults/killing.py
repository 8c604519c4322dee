"""python -m tests.faults.killing: does a deed on copies of a store, killed ever later.

Arguments: the store, a folder for its copies, ``stage``, ``remove`` or ``clean``, and
``plain`` or ``encrypted``. Each copy is called by the number of the step (a call that
changes or opens something in the store) before which its process was killed; the last
one was not. Prints how many there are.
"""

import io
import itertools
import os
import random
import shutil
import signal
import sys
from pathlib import Path

from syncd.core.vault import Summary
from syncd.vaults.keys import Keys
from syncd.vaults.local import LocalStore
from tests.vaults.conftest import IDENTITY
from tests.vaults.goods import MADE, item

STEPS = {
    "open",
    "fcntl.flock",
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.utime",
    "shutil.rmtree",
}

BEFORE = {
    "A": None,
    "A/1": b"one",
    "A/big": random.Random(1).randbytes(1_500_000),
    "B/same": b"same" * 1000,
}
AFTER = BEFORE | {"A/1": b"uno!", "A/new": b"new", "C/larger": bytes(2_000_000)}
DUMP = b"of a command"


def opened(root: Path, kind: str) -> LocalStore:
    """Return the store."""
    return LocalStore(root, keys=Keys(IDENTITY) if kind == "encrypted" else None)


def stage(store: LocalStore, name: str = "b") -> None:
    """Make a vault of items that changed in part, and of what a command wrote."""
    with store.stage(name, "default", job="j") as staging:
        staging.log.write_text("log\n")
        items = [item(path, what) for path, what in AFTER.items()]
        for one in staging.unchanged(items):
            what = AFTER[one.path]
            staging.add(one, io.BytesIO(what) if isinstance(what, bytes) else None)
        (staging.folder / "dump").write_bytes(DUMP)
        staging.seal(Summary(name="", source="", made=MADE + 1))


DEEDS = {
    "stage": stage,
    "remove": lambda store: store.remove("a"),
    "clean": lambda store: (store.quarantine(), store.discard("left")),
}


def kill_at(step: int, root: Path) -> None:
    """Have this process killed before it does something in the store that often."""
    steps = itertools.count()

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event not in STEPS:
            return
        places = [
            os.fsdecode(a) for a in arguments if isinstance(a, str | bytes | Path)
        ]
        ours = event == "fcntl.flock" or any(str(root) in place for place in places)
        if ours and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(store: str, copies: str, deed: str, kind: str) -> None:
    """Kill ever later, until the deed is done before it could be killed."""
    for step in itertools.count():
        root = Path(copies) / str(step)
        shutil.copytree(store, root, symlinks=True)
        child = os.fork()
        if not child:
            kill_at(step, root)
            DEEDS[deed](opened(root, kind))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            print(step + 1)
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
