"""Sockets that listen: for every address asked for, or none."""

import errno
import os
import socket
from collections.abc import Sequence

from syncd.errors import ConfigError

BACKLOG = 128

_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What a machine without IPv6 says of the second address of ``localhost``."""


def bound(addresses: Sequence[tuple[str, int]]) -> list[socket.socket]:
    """Return listening sockets; raise ConfigError if an address cannot be had."""
    sockets: list[socket.socket] = []
    for host, port in addresses:
        try:
            sockets += _bound_to(host, port)
        except OSError as error:
            for one in sockets:
                one.close()
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            raise ConfigError(
                f"cannot listen on {where}: {_why(error)}; stop what uses it, or choose"
                " another address under `listen`"
            ) from None
    return sockets


def _why(error: OSError) -> str:
    known = error.errno in errno.errorcode
    return os.strerror(error.errno) if known and error.errno else str(error.strerror)


def _bound_to(host: str, port: int) -> list[socket.socket]:
    """Return a socket for each address that the name stands for, all on one port."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    wanted = list(dict.fromkeys((family, where[0]) for family, *_, where in found))
    sockets: list[socket.socket] = []
    for family, address in wanted:
        try:
            one = socket.create_server((address, port), family=family, backlog=BACKLOG)
        except OSError as error:
            if len(wanted) > 1 and error.errno in _ABSENT:
                continue
            for other in sockets:
                other.close()
            raise
        one.setblocking(False)
        port = one.getsockname()[1]
        sockets.append(one)
    return sockets
