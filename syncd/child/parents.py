"""A child does not outlive the process that started it."""

import asyncio
import os
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
