"""The whole daemon, seen from outside."""
