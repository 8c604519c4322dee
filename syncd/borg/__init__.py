"""Runs Borg, inside workers only; core.borg says what it is told."""
