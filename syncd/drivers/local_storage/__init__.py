"""Folders on this machine: the local_storage driver."""

from syncd.drivers.local_storage.storage import LocalStorage

__all__ = ["LocalStorage"]
