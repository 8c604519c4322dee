"""The syncd command: one module per group of commands."""
