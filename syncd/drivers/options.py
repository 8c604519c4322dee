"""What an entry's ``options`` may say: checked by the parent, plain for the driver.

Apart from the drivers, so that a child starts without pydantic (a third of its
start), and the parent without what drivers are made of.
"""

from typing import ClassVar

from pydantic import BaseModel


class Options(BaseModel, extra="forbid", frozen=True):
    """What an entry's ``options`` may say; each driver adds its own fields.

    The first line of a driver's own class tells people what the driver is.
    """

    keeps_lost: ClassVar[bool] = False
    """Whether the driver can keep what is lost: its Can.KEEP_LOST."""

    def folders(self) -> dict[str, str]:
        """Return the local folders it writes to, by option; entries may share none."""
        return {}


class MemoryOptions(Options, frozen=True):
    """A storage in memory, gone with its process: to try things out."""

    keeps_lost: ClassVar[bool] = True
