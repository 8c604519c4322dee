"""What a source's options may say: checked by the parent, plain for the source.

Apart from the sources, as it is with drivers: the parent loads nothing of what a
source is made of, and a worker starts without pydantic.
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class SourceOptions(BaseModel):
    """What a source's options may say; each source adds its own fields.

    The first line of a source's own class tells people what the source is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    sounded: ClassVar[bool] = False
    """Whether it is asked how it is while no job runs: for what lies far away."""

    asked: ClassVar[tuple[str, ...]] = ()
    """Variables that whoever asks for a backup or restore may always give."""
