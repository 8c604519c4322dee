"""Reading the certificate and its key, and what can be wrong with them."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from syncd.config.access import Tls
from syncd.document import Fault
from syncd.errors import ConfigError


def context(tls: Tls) -> ssl.SSLContext:
    """Return what a server needs to speak TLS 1.2 or newer; raise ConfigError."""
    for fault in faults(tls):
        raise ConfigError(f"{fault.place[-1]} {fault.words}")
    return _loaded(tls)


def faults(tls: Tls) -> Iterator[Fault]:
    """Give what is wrong with the files, by the settings that name them."""
    unreadable = False
    for name, file in (("certificate", tls.certificate), ("key", tls.key)):
        if why := _unreadable(file):
            unreadable = True
            words = f"{file} cannot be read: {why}; name a file that syncd may read"
            yield Fault(("tls", name), words)
    if unreadable:
        return
    try:
        _loaded(tls)
    except (ssl.SSLError, ValueError) as error:
        yield Fault(("tls", "certificate"), _words(tls, error))


def _loaded(tls: Tls) -> ssl.SSLContext:
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    result.minimum_version = ssl.TLSVersion.TLSv1_2
    result.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    return result


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _unreadable(file: Path) -> str | None:
    try:
        with file.open("rb"):
            return None
    except OSError as error:
        return error.strerror


def _words(tls: Tls, error: Exception) -> str:
    if not isinstance(error, ssl.SSLError):
        return f"{tls.key}: {error}; decrypt it, and let only syncd read it"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{tls.certificate} does not belong to {tls.key}; name a pair"
    return (
        f"{tls.certificate} and {tls.key} are no certificate and key; name files in PEM"
        " form: the certificate first, then those that vouch for it"
    )
