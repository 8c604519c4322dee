"""The configuration: YAML -> checked values; every fault at once, with its place."""

import os

# pydantic would look for plugins in every installed package; we want none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from syncd.config.access import Accounts, Address, Tls
from syncd.config.reading import read
from syncd.config.values import Config, Conflict, Entry, Limits, Log

__all__ = [
    "Accounts",
    "Address",
    "Config",
    "Conflict",
    "Entry",
    "Limits",
    "Log",
    "Tls",
    "read",
]
