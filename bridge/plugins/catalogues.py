"""What plug-ins say in other languages. Each has a catalogue of its own words. All of them show those of the bridge and
its client too, which have one catalogue, here.
"""

from __future__ import annotations

from pathlib import Path

import polib

__all__ = ["SHARED", "compiled"]

SHARED = Path(__file__).parent / "locale"
"""The catalogues for all plug-ins, one for each language that a plug-in speaks."""


def compiled(own: bytes, language: str) -> bytes:
    """A plug-in's catalogue and the shared one as gettext reads them."""
    catalogue = polib.pofile(own.decode())
    catalogue.extend(polib.pofile(str(SHARED / f"{language}.po"), encoding="utf-8"))
    binary: bytes = catalogue.to_binary()
    return binary
