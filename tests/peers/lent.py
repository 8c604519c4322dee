"""Processes of servers that several tests use, and that outlive each of them."""

PROCESSES: set[int] = set()
