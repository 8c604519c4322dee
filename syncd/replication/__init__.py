"""Files in step: what entries report becomes orders, by the rules in force."""
