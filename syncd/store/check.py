"""How closely the index is looked at before it is used."""

from enum import Enum, auto


class Check(Enum):
    """How closely the index is looked at before it is used."""

    NONE = auto()
    QUICK = auto()
    THOROUGH = auto()
    REPLACE = auto()
    """Not at all: it was found damaged, though a thorough look had told nothing."""
