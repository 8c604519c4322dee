"""What every value of the configuration is."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value that refuses what it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True
    )
