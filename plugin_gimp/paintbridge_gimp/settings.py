"""Where another bridge is, when the artist has said so: a file of ours in GIMP's folder, for all procedures."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from gi.repository import Gimp

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Empty: the bridge is found by itself."""

    address: str = ""
    token: str = ""

    @classmethod
    def load(cls) -> Settings:
        """What was saved; a file that cannot be read counts as empty, and is written anew at the next save."""
        try:
            plain = json.loads(_path().read_text(encoding="utf-8"))
            return cls(str(plain["address"]), str(plain["token"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def save(self) -> None:
        """Raises OSError when GIMP's folder cannot be written."""
        path = _path()
        # Nobody else may read the token: the mode is there before the content.
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)


def _path() -> Path:
    return Path(Gimp.directory()) / "paintbridge.json"
