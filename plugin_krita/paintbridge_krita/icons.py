"""Krita's own icons, which suit its theme. Those that Krita has not are drawn here in the theme's colour of text."""

from __future__ import annotations

import krita

from .qt import QtGui

__all__ = ["icon"]

# Ours by Krita's.
_KRITAS = {
    "history": "document-open-recent",
    "menu": "configure-thicker",
    "apply": "dialog-ok",
    "apply_group": "groupLayer",
    "again": "view-refresh",
    "reuse": "edit-copy",
    "discard": "deletelayer",
    "compare": "onion_skin_options",
    "shown": "visible",
    "hidden": "novisible",
    "preset": "document-save",
    "settings": "configure-thicker",
    "open": "arrow-down",
    "folded": "arrow-right",
}


def icon(name: str) -> QtGui.QIcon:
    return krita.Krita.instance().icon(_KRITAS[name])
