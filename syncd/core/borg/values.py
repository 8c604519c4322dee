"""Repositories and clients of Borg, as values that check themselves.

What is checked here becomes part of a command line later: nothing that passes can be
taken for an option, for a second word or for a placeholder of Borg's.
"""

import re
from enum import StrEnum

from msgspec import Struct

from syncd.core.address import is_loopback
from syncd.errors import BadRequest

LONGEST = 1024
"""Characters of a host, a path or a passphrase."""

SSH_PORT = 22

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_URL = re.compile(r"ssh://(?:([^@:/]+)@)?([^@:/]+)(?::([0-9]{1,5}))?(/.*)", re.DOTALL)
_SCP = re.compile(r"(?:([^@:/]+)@)?([^@:/]+):(.*)", re.DOTALL)


class Policy(StrEnum):
    """What of a client is backed up."""

    ROOTFS = "rootfs"
    CONFIG = "config"
    FOLDERS = "folders"
    MAIL = "mail"
    MYSQL = "mysql"
    POSTGRESQL = "postgresql"
    PIPED = "piped"
    VM = "vm"


class Encryption(StrEnum):
    """How a new repository is encrypted; the words are Borg's."""

    REPOKEY = "repokey"
    REPOKEY_BLAKE2 = "repokey-blake2"
    NONE = "none"


class Place(Struct, frozen=True):
    """Where a repository lies."""

    path: str
    host: str | None = None
    """None: in a folder of ours."""
    user: str | None = None
    port: int = SSH_PORT


class Repository(Struct, frozen=True, kw_only=True):
    """A repository; raises BadRequest for one that cannot be named to Borg."""

    path: str
    """``/folder``, ``user@host:/folder`` or ``ssh://user@host:port/folder``."""
    passphrase: str = ""
    encryption: Encryption = Encryption.REPOKEY
    """Of use only when it is made."""
    append_only: bool = False
    """Nothing is ever pruned there, nor room made."""

    def __post_init__(self) -> None:
        place(self.path)
        secret("the passphrase of the repository", self.passphrase)

    @property
    def place(self) -> Place:
        """Return where it lies."""
        return place(self.path)


class Client(Struct, frozen=True, kw_only=True):
    """A machine that is backed up; raises BadRequest for what is no such thing."""

    hostname: str
    """Part of the names of its archives."""
    id: int | None = None
    """By which variables of a policy tell of one client only."""
    address: str | None = None
    """Where it answers, if not at its name."""
    port: int = SSH_PORT
    user: str = "root"
    here: bool = False
    """It is this machine, and needs no SSH."""
    bandwidth: int | None = None
    """KiB a second that it may send; None, or 0: as many as it likes."""
    behind_firewall: bool = False
    """It cannot be reached: it fetches its work itself."""

    def __post_init__(self) -> None:
        host("a client", self.hostname)
        if self.address is not None:
            host("the address of a client", self.address)
        port(self.port)
        user(self.user)
        if self.bandwidth is not None and self.bandwidth < 0:
            raise BadRequest(
                f"a bandwidth of {self.bandwidth} KiB a second makes no sense; leave it"
                " out for no limit"
            )


class Login(Struct, frozen=True, kw_only=True):
    """What opens the doors of clients and of repositories on other machines."""

    key: str = ""
    """A private SSH key, as its file has it; empty: what the system has."""
    key_passphrase: str = ""
    known_hosts: list[str] = []
    """Lines for ``known_hosts``: of each machine, what a person has confirmed."""
    lend_freely: bool = False
    """A client that pushes may use our key for any machine, not for the repository's
    only. It has to, if its OpenSSH is older than 8.9."""

    def __post_init__(self) -> None:
        for said in self.known_hosts:
            line("a line of known_hosts", said)
        secret("the passphrase of the SSH key", self.key_passphrase)


def is_here(hostname: str, ours: str) -> bool:
    """Tell whether a client of that name is this machine, which is called ``ours``."""
    name, own = hostname.lower(), ours.lower()
    return is_loopback(name) or name in (own, own.partition(".")[0])


def place(path: str) -> Place:
    """Return where a repository lies; raise BadRequest."""
    line("the path of a repository", path)
    if "{" in path or "}" in path or "::" in path:
        raise BadRequest(
            f"the path of a repository, {path!r}, holds braces or '::', which mean"
            " something to Borg; call the folder otherwise"
        )
    if path.startswith("/"):
        if ":" in path or path.startswith("//") or not path.strip("/"):
            raise BadRequest(
                f"{path!r} is no folder for a repository: it must be absolute, not the"
                " root, and without a colon, which Borg takes for the end of a host"
            )
        return Place(path)
    return _remote(path)


def _remote(path: str) -> Place:
    url = _URL.fullmatch(path)
    scp = None if "://" in path else _SCP.fullmatch(path)
    found = url or scp
    if found is None:
        raise BadRequest(
            f"{path!r} is no repository: give /folder, user@host:/folder or"
            " ssh://user@host:port/folder"
        )
    name = found[1]
    folder = found[4] if url else found[3]
    host("the host of a repository", found[2])
    if name is not None:
        user(name)
    at = int(url[3]) if url and url[3] else SSH_PORT
    port(at)
    if not folder.strip("/") or folder.startswith(("//", ":", "-")):
        raise BadRequest(f"{path!r} names no folder on {found[2]}; add its path")
    return Place(folder, found[2], name, at)


def host(what: str, name: str) -> None:
    """Raise BadRequest for what is no name, or IPv4 address, of a machine."""
    if len(name) > LONGEST or not _HOST.fullmatch(name):
        raise BadRequest(
            f"{what} cannot be called {name!r}: a host's name has letters, digits,"
            " dots, dashes and underscores only, and begins and ends with a letter or"
            " digit"
        )


def user(name: str) -> None:
    """Raise BadRequest for what is no name of an account."""
    if len(name) > LONGEST or not _USER.fullmatch(name):
        raise BadRequest(
            f"{name!r} is no name of an account: it has letters, digits, dots, dashes"
            " and underscores only, and does not begin with a dash"
        )


def port(number: int) -> None:
    """Raise BadRequest for what is no port."""
    if not 1 <= number <= 65535:
        raise BadRequest(f"{number} is no port; there are those from 1 to 65535")


def known_as(host: str, port: int) -> str:
    """Return what a machine is called in known_hosts."""
    return host if port == SSH_PORT else f"[{host}]:{port}"


def line(what: str, text: str, *, longest: int = 16 * LONGEST) -> None:
    """Raise BadRequest for text that is empty, too long or goes on behind a line."""
    if not text.strip():
        raise BadRequest(f"{what} is empty; give one")
    _plain(what, text, longest)


def secret(what: str, text: str) -> None:
    """Raise BadRequest, without telling it, for a secret that cannot be handed on."""
    _plain(what, text, LONGEST)


def folder(what: str, path: str) -> str:
    """Return the path of a folder or file on some machine; raise BadRequest."""
    line(what, path)
    if not path.startswith("/"):
        raise BadRequest(f"{what}, {path!r}, must begin with a slash")
    if ".." in path.split("/"):
        raise BadRequest(f"{what}, {path!r}, goes up by '..'; give it without")
    return path


def _plain(what: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise BadRequest(f"{what} is longer than {longest} characters; shorten it")
    if any(character in text for character in "\0\n\r"):
        raise BadRequest(f"{what} holds a NUL or the end of a line; take it out")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest(f"{what} is no valid Unicode; write it anew") from None
