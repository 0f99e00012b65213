"""Everything that the artist reads goes through here: English source, translated as Krita translates its plug-ins."""

from __future__ import annotations

from .qt import QtCore

__all__ = ["_"]


def _(text: str) -> str:
    """The text in the artist's language."""
    return QtCore.QCoreApplication.translate("PyKrita", text)
