"""A source that is a ZooKeeper: its tree comes back node for node."""
