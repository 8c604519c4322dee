"""What must survive: the index of files, entries and settings, in one database."""
