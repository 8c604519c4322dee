"""How a backup lies."""
