"""Krita's own icons, which follow its theme; they are set again when the theme changes."""

from __future__ import annotations

import krita

from .qt import QtWidgets

__all__ = ["set_icon", "update_icons"]

# Krita's names by the names here.
_KRITA_NAMES = {
    "again": "view-refresh",
    "apply_group": "groupLayer",
    "cancel": "dialog-cancel",
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


def set_icon(button: QtWidgets.QToolButton, name: str) -> None:
    """Give a button its icon."""
    button.setProperty(_PROPERTY, name)
    button.setIcon(krita.Krita.instance().icon(_KRITA_NAMES[name]))


def update_icons(widget: QtWidgets.QWidget) -> None:
    """Set the icons of all buttons in a widget again."""
    for button in widget.findChildren(QtWidgets.QToolButton):
        name = button.property(_PROPERTY)
        if name:
            set_icon(button, name)
