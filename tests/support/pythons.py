"""Other Pythons on this machine, for what must run on them."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["find_python"]


def find_python(version: str) -> str | None:
    """``PAINTBRIDGE_PYTHON39`` and the like, one on the path, or one of pyenv's."""
    # One on the path may be a stub of pyenv's that runs nothing.
    candidates = [os.environ.get(f"PAINTBRIDGE_PYTHON{version.replace('.', '')}"), shutil.which(f"python{version}")]
    # Not the environment's HOME: the tests have one of their own.
    home = Path(f"~{getpass.getuser()}").expanduser()
    candidates += sorted(str(path) for path in home.glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for python in filter(None, candidates):
        if subprocess.run([python, "-c", "import ssl, asyncio"], capture_output=True, check=False).returncode == 0:
            return python
    return None
