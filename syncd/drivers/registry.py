"""Drivers by name: the classes in ``syncd.drivers``, and what their options may say."""

from syncd.announced import Announced
from syncd.drivers.loading import WHAT
from syncd.drivers.options import Options

GROUP = "syncd.drivers"
OPTIONS = "syncd.driver_options"

OURS = {
    GROUP: {
        "local_storage": "syncd.drivers.local_storage.storage:LocalStorage",
        "memory": "syncd.drivers.memory:Memory",
    },
    OPTIONS: {
        "local_storage": "syncd.drivers.local_storage.options:LocalStorageOptions",
        "memory": "syncd.drivers.options:MemoryOptions",
    },
}
"""What we announce ourselves, known without a look at every installed package."""

_drivers = Announced(WHAT, (GROUP, OPTIONS), Options, OURS)

names = _drivers.names
reference = _drivers.reference
options = _drivers.options
schemas = _drivers.schemas
