"""Krita's own icons. They suit its theme, and are dressed anew when that becomes another one."""

from __future__ import annotations

import krita

from .qt import QtWidgets

__all__ = ["dress", "dress_anew"]

# Krita's by ours.
_KRITAS = {
    "again": "view-refresh",
    "apply_group": "groupLayer",
    "compare": "onion_skin_options",
    "discard": "deletelayer",
    "dismiss": "docker_close",
    "hidden": "novisible",
    "history": "document-open-recent",
    "preset": "document-save",
    "reuse": "edit-copy",
    "settings": "configure-thicker",
    "shown": "visible",
}
_PROPERTY = "paintbridge_icon"


def dress(button: QtWidgets.QToolButton, name: str) -> None:
    """Give a button its icon."""
    button.setProperty(_PROPERTY, name)
    button.setIcon(krita.Krita.instance().icon(_KRITAS[name]))


def dress_anew(widget: QtWidgets.QWidget) -> None:
    """All buttons in a widget."""
    for button in widget.findChildren(QtWidgets.QToolButton):
        name = button.property(_PROPERTY)
        if name:
            dress(button, name)
