"""A child does not outlive the process that started it."""

import asyncio
import os
import signal
from collections.abc import Callable


def watch(parent: int, died: Callable[[], None]) -> int:
    """Have ``died`` called when the parent dies; return the descriptor for that."""
    try:
        descriptor = os.pidfd_open(parent)
    except ProcessLookupError:
        raise SystemExit(0) from None

    def once() -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        died()

    asyncio.get_running_loop().add_reader(descriptor, once)
    # The number may already be somebody else's, if the parent died before this.
    if os.getppid() != parent:
        once()
    return descriptor


def deaf(loop: asyncio.AbstractEventLoop) -> None:
    """Take no more notice of SIGTERM: all is done, and a closing loop would stumble."""
    loop.remove_signal_handler(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
