"""File names as people have them: in either of Unicode's normal forms, or in no encoding that is known.

A name that is not UTF-8 comes with lone surrogates in the place of its bytes (PEP 383). macOS and archives made there
spell letters with accents in two characters, where keyboards give one.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

__all__ = ["existing", "native", "normal"]


def normal(name: str) -> str:
    """The name in the form in which names are compared (NFC)."""
    return unicodedata.normalize("NFC", name)


def existing(path: Path) -> Path:
    """The file of that name, or else the only one whose name differs in its normal form alone; or the path itself."""
    # Unlike pathlib, os.path has an answer for names that are too long.
    if path.name.isascii() or os.path.exists(path):
        return path
    try:
        alike = [name for name in os.listdir(path.parent) if normal(name) == normal(path.name)]
    except OSError:
        return path
    return path.with_name(alike[0]) if len(alike) == 1 else path


def native(path: Path) -> bytes:
    """The name as the system has it, for libraries in C: bytes, on Windows UTF-8."""
    return os.fsencode(path)
