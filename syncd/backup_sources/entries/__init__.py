"""The source of a fresh install: the entries that syncd keeps in step."""
