"""What people say of a local folder."""

from typing import ClassVar

from pydantic import Field

from syncd.drivers.options import Options


class LocalStorageOptions(Options, frozen=True):
    """A folder on this machine."""

    keeps_lost: ClassVar[bool] = True

    root: str = Field(min_length=1, description="the folder to keep in step")

    def folders(self) -> dict[str, str]:
        """Return the root: no two entries may share it."""
        return {"root": self.root}
