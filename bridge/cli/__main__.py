"""``python -m bridge.cli``: the same as ``paintbridge``."""

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
