"""``python -m bridge.plugins FOLDER``: each plug-in as a zip, for those who install by hand."""

from __future__ import annotations

import sys
from pathlib import Path

from . import TARGETS
from .placing import archive

if __name__ == "__main__":
    for target in TARGETS:
        path = Path(sys.argv[1]) / f"paintbridge-{target.name}.zip"
        archive(target.bundle(), path)
        print(path)
