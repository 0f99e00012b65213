"""Programs that end with the test that started them, even where that is killed and can end nothing itself."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

__all__ = ["mortal"]


def mortal(command: Sequence[str], *, signal: str = "KILL") -> list[str]:
    """The command, sent a signal when its parent is gone. Only Linux has such a thing; elsewhere it outlives it."""
    if shutil.which("setpriv") is None:
        return list(command)
    return ["setpriv", "--pdeathsig", signal, "--", *command]
