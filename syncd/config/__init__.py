"""The configuration: YAML -> checked values; every fault at once, with its place."""

from syncd.config.reading import read
from syncd.config.values import Address, Config, Conflict, Entry, Limits, Log

__all__ = ["Address", "Config", "Conflict", "Entry", "Limits", "Log", "read"]
