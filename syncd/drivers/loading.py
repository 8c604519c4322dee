"""A driver by its reference; all that a child needs of the registry."""

from typing import cast

from syncd import announced
from syncd.drivers.contract import Driver

WHAT = "driver"


def load(reference: str) -> type[Driver]:
    """Return the driver that ``module:name`` refers to.

    Raise ConfigError if its package is broken.
    """
    return cast("type[Driver]", announced.load(reference, WHAT))
