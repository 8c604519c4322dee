"""The process that tends one entry: changes up, orders down; never imported."""
