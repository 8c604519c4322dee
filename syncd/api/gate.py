"""What may come in: requests under a name of ours, and none of foreign pages.

A page on another site can make a browser on this machine send requests here.
It cannot forge ``Host`` (after DNS rebinding that is the page's own name) nor
``Origin``, and both are checked.
"""

import ipaddress
from collections.abc import Iterable

from tornado.httputil import HTTPServerRequest

from syncd.core.address import is_loopback
from syncd.errors import NotAllowed

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, so that only reading the answer would matter."""

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


USUAL = {"http": "80", "https": "443"}
"""The ports that nobody says."""


class Gate:
    """Knows the names that are ours."""

    def __init__(
        self,
        addresses: Iterable[tuple[str, int]],
        names: Iterable[str] = (),
        *,
        scheme: str = "http",
        origins: Iterable[str] = (),
    ) -> None:
        """Take where we listen, and further names (``NAME`` or ``NAME:PORT``).

        Pages of ``origins`` may do what ours may, where others are welcome; ``*``
        stands for all.
        """
        self._welcome = frozenset(origins)
        self._scheme = scheme
        self._names: set[str] = set()
        self._hosts: set[str] = set()
        self._origins: set[str] = set()
        self._beyond = False
        ports = set[str]()
        for host, port in addresses:
            ports.add(str(port))
            self._beyond = self._beyond or not is_loopback(host)
            for name in (f"[{host}]" if ":" in host else host, *LOOPBACK):
                self._hosts |= {name.lower(), f"{name}:{port}".lower()}
                self._origins.add(_origin(scheme, name.lower(), str(port)))
        for name in names:
            self._add(_plain(name), ports)

    def _add(self, name: str, ports: set[str]) -> None:
        """Take in a further name: with a port, whatever is served there is ours.

        Without one, only our own ports are: other services of the machine have the
        same name, and a browser sends them the same cookies.
        """
        host, port = _split(name)
        port = port.removeprefix(":")
        self._names.add(name)
        if not port or port in ports:
            for one in {port} if port else ports:
                self._origins.add(_origin(self._scheme, host, one))
            return
        # Something else passes on to us, and may speak TLS where we do not.
        schemes = [scheme for scheme, usual in USUAL.items() if usual == port]
        if schemes:
            self._hosts.add(host)
        for scheme in schemes or USUAL:
            self._origins.add(_origin(scheme, host, port))

    def check(self, request: HTTPServerRequest, *, welcoming: bool = False) -> None:
        """Raise NotAllowed for a request that is not meant for us or not ours.

        ``welcoming``: whether pages of ``origins`` may ask for that.
        """
        host = request.headers.get("Host")
        if host is not None and not self._is_ours(host):
            raise NotAllowed(
                f"{host!r} is not a name of this daemon; use one of"
                f" {', '.join(sorted(self._hosts | self._names))}, or add it to `names`"
            )
        if request.method not in HARMLESS:
            self._check_origin(request, welcoming=welcoming)

    def _check_origin(self, request: HTTPServerRequest, *, welcoming: bool) -> None:
        origin = request.headers.get("Origin")
        host = request.headers.get("Host", "")
        if welcoming and self.is_welcome(origin):
            return
        if origin is not None and not self._is_our_origin(origin.lower(), host):
            raise NotAllowed(f"pages of {origin!r} may not change anything here")
        if request.headers.get("Sec-Fetch-Site", "").lower() == "cross-site":
            raise NotAllowed("pages of other sites may not change anything here")

    def is_welcome(self, origin: str | None) -> bool:
        """Tell whether pages from there may use what others are welcome to."""
        said = origin is not None and origin.lower() in self._welcome
        return said or (origin is not None and "*" in self._welcome)

    def _is_ours(self, host: str) -> bool:
        return (
            _plain(host) in self._hosts
            or self._is_named(host)
            or (self._beyond and _is_number(host))
        )

    def _is_named(self, host: str) -> bool:
        name = _plain(host)
        return name in self._names or _split(name)[0] in self._names

    def _is_our_origin(self, origin: str, host: str) -> bool:
        named = origin.partition("://")[2]
        if self._beyond and _is_number(named):
            return origin == f"{self._scheme}://{host}".lower()
        return origin in self._origins


def _origin(scheme: str, host: str, port: str) -> str:
    """Return what browsers say of a page there: the usual port goes without saying."""
    return f"{scheme}://{host}" + ("" if port == USUAL[scheme] else f":{port}")


def _is_number(host: str) -> bool:
    """Tell whether a host is an address in figures, which no other page can have."""
    try:
        return bool(ipaddress.ip_address(_split(host)[0].strip("[]")))
    except ValueError:
        return False


def _plain(host: str) -> str:
    name, port = _split(host.lower())
    return f"{name.rstrip('.')}{port}"


def _split(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    if port.isascii() and port.isdecimal():
        return name, colon + port
    return host, ""
