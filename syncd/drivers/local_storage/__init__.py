"""Folders on this machine: the local_storage driver."""
