"""python -m tests.backup_sources.zookeeper.dying REQUEST FILE: restore, and be killed.

The file says how; the process kills itself before that request to the servers, and
tells how many there were if it comes to an end.
"""

import asyncio
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from syncd.backup_sources.contract import Around
from syncd.backup_sources.zookeeper.session import Session
from syncd.backup_sources.zookeeper.source import ZooKeeper
from syncd.core.backup import Restoring
from tests.backup_sources.fakes import Listener


def main(last: int, file: Path) -> None:
    """Restore, up to a request."""
    # It comes from the test that has started us.
    options, vault, scratch, keep = pickle.loads(file.read_bytes())
    true, number = Session.send_all, 0

    def counted(self: Session, requests: Sequence[Any]) -> asyncio.Future[list[Any]]:
        nonlocal number
        number += 1
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return true(self, requests)

    Session.send_all = counted  # type: ignore[method-assign]
    source = ZooKeeper.create(options, Around(scratch=scratch, keep=keep))
    report = asyncio.run(source.restore(Restoring(), vault, Listener()))
    assert not report.failed, report.failed
    sys.stdout.write(f"{number}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
