"""Nodes that belong to ZooKeeper itself."""

from syncd.backup_sources.zookeeper.nodes import is_in

OWN = "/zookeeper"
_FIXED = frozenset({"/", OWN, "/zookeeper/quota"})
_CONFIG = "/zookeeper/config"
_QUOTAS = "/zookeeper/quota/"
_STATS = "/zookeeper_stats"


def is_left_alone(path: str) -> bool:
    """Tell whether a restore never touches the node: the servers keep it."""
    return is_in(path, _CONFIG) or (path != "/" and path in _FIXED)


def is_counted(path: str) -> bool:
    """Tell whether the servers themselves write the node's data: usage of a quota."""
    return path.startswith(_QUOTAS) and path.endswith(_STATS)


def is_lasting(path: str) -> bool:
    """Tell whether the node can neither be made nor deleted."""
    return path in _FIXED
