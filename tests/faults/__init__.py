"""Bad days, made real: full disks, read-only roots, disks that fail."""
