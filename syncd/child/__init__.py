"""The process that tends one entry: changes up, orders down; never imported."""

import gc

# Until __main__ has loaded everything: nothing of that is garbage, and to search it is
# a tenth of a child's start.
gc.disable()
