"""A source that is a command: a dump, an export, a script."""
