"""A driver of somebody else's making: a folder whose contents only come in chunks.

Beside the folder lies a gate: as long as it is shut, each reading stops after a few
chunks and waits there.
"""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import ClassVar

from syncd.core.file import Stamp
from syncd.drivers.contract import Can
from syncd.drivers.local_storage.options import LocalStorageOptions
from syncd.drivers.local_storage.storage import LocalStorage

CHUNKS = 3
"""Of a mebibyte each."""


def gate(root: Path) -> Path:
    """Return the file that shuts the gate while it is there."""
    return root.with_name(f"{root.name}.shut")


class Gated(LocalStorage):
    """A folder without descriptors."""

    can: ClassVar[Can] = LocalStorage.can & ~Can.DESCRIPTORS

    async def read(
        self, path: str, stamp: Stamp, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Give the content, with a rest in the middle while the gate is shut."""
        number = 0
        async for chunk in super().read(path, stamp, start, length):
            while number >= CHUNKS and gate(self._root.path).exists():
                await asyncio.sleep(0.02)
            number += 1
            yield chunk


class GatedOptions(LocalStorageOptions, frozen=True):
    """A folder on this machine, with a gate."""


def install(packages: Path) -> None:
    """Announce the driver as an installed package would, in a folder of packages."""
    info = packages / "gated-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gated\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[syncd.drivers]\ngated = tests.acceptance.gated:Gated\n"
        "[syncd.driver_options]\ngated = tests.acceptance.gated:GatedOptions\n"
    )
