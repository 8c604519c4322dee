"""Where the API is served, to whom, and under which protection."""

import re
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from syncd.config.value import Value

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:\s]+):(\d{1,5})", re.ASCII)
_ORIGIN = re.compile(r"https?://[\w.-]+(:\d{1,5})?", re.ASCII)
_NAME = re.compile(r"[\w.-]+(:\d{1,5})?", re.ASCII)


class Address(NamedTuple):
    """Where to listen: an IP address or localhost, and a port (0: any free one)."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Tls(Value):
    """What proves to clients that it is us."""

    certificate: Path = Field(
        description="file of the certificate, PEM, with those that vouch for it;"
        " relative to the folder of this file, read again on SIGHUP"
    )
    key: Path = Field(description="file of its key, PEM, not encrypted; likewise")


class Accounts(Value):
    """How users and tokens are treated."""

    loopback: Literal["login", "open"] = Field(
        default="login",
        description="once there are accounts, whether requests to loopback addresses"
        " need a login, too, or may do what an operator may (open): then every user"
        " of this machine may, and whoever comes through a proxy on it",
    )
    audit_days: int = Field(
        default=365, ge=1, description="for how many days is kept who did what"
    )


def address(value: object) -> Address:
    """Return an address from HOST:PORT; raise ValueError."""
    parts = _ADDRESS.fullmatch(str(value))
    if not isinstance(value, str) or parts is None or int(parts[2]) > 65535:
        raise ValueError("is not HOST:PORT; write 127.0.0.1:3862 or '[::1]:3862'")
    return Address(parts[1].strip("[]"), int(parts[2]))


def host_name(value: str) -> str:
    """Return the name of a machine, perhaps with a port; raise ValueError."""
    if not _NAME.fullmatch(value):
        raise ValueError("is no NAME or NAME:PORT; write backup.example.org")
    return value


def origin(value: str) -> str:
    """Return where pages come from, as browsers say it; raise ValueError."""
    if value != "*" and not _ORIGIN.fullmatch(value):
        raise ValueError("is no place of pages; write https://console.example.org")
    return value.lower()
