"""HTTP: what people and programs ask the daemon, and how it answers."""
