"""A source by its reference; all that a worker needs of the registry."""

from typing import cast

from syncd import announced
from syncd.backup_sources.contract import Source

WHAT = "source of backups"


def load(reference: str) -> type[Source]:
    """Return the source that ``module:name`` refers to.

    Raise ConfigError if its package is broken.
    """
    return cast("type[Source]", announced.load(reference, WHAT))
