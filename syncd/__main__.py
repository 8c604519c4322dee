"""python -m syncd: the same as the syncd command."""

import sys

from syncd.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
