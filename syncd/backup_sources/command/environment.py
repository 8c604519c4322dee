"""What a command finds in its environment: nothing that may be a secret of ours."""

from collections.abc import Mapping

_HANDED_DOWN = frozenset({"HOME", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER"})
_FAMILIES = ("LANG", "LC_", "LD_LIBRARY", "SSL_CERT_")


def environment(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Return what a command gets of our environment, and what is meant for it.

    Nothing that is about our own Python, either: theirs may be another.
    """
    kept = {
        name: value
        for name, value in ours.items()
        if name in _HANDED_DOWN or name.startswith(_FAMILIES)
    }
    return kept | dict(theirs)
