"""python keeper.py LOG COMMAND...: start a server that is no child of who asks for it.

It tells the server's number on its output, and kills the server, and all that this has
started, when its input ends: that does so even if who asked was killed.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1


def main(log: str, *command: str) -> None:
    """Start the server and watch over it until one of the two sides is gone."""
    if os.fork():
        os._exit(0)  # So what goes on is nobody's child here.
    os.setsid()
    with open(log, "ab") as said:  # noqa: PTH123 - pathlib takes long to load
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            preexec_fn=_die_with_us,  # noqa: PLW1509 - there is one thread
        )
    os.write(1, b"%d\n" % server.pid)
    os.close(1)
    ended = os.pidfd_open(server.pid)
    while not select.select([0, ended], [], [])[0]:
        continue
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _die_with_us() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
