"""What plug-ins say in other languages. Each has a catalogue of its own words. All of them show those of the bridge and
its client too, which have one catalogue, here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import polib

__all__ = ["SHARED", "compiled", "templates"]

SHARED = Path(__file__).parent / "locale"
"""The catalogues for all plug-ins, one for each language that a plug-in speaks."""


def compiled(own: bytes, language: str) -> bytes:
    """A plug-in's catalogue and the shared one as gettext reads them."""
    catalogue = polib.pofile(own.decode())
    catalogue.extend(polib.pofile(str(SHARED / f"{language}.po"), encoding="utf-8"))
    binary: bytes = catalogue.to_binary()
    return binary


def templates() -> bytes:
    """The texts with numbered gaps in the shared catalogues, in which plug-ins recognise filled ones; as JSON."""
    catalogues = [polib.pofile(str(path), encoding="utf-8") for path in SHARED.glob("*.po")]
    found = {entry.msgid for catalogue in catalogues for entry in catalogue if re.search(r"\{\d\}", entry.msgid)}
    return json.dumps(sorted(found), indent=1).encode()
