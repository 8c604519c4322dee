"""Storages: one contract, one file per kind."""
