"""Keys that belong to text while it is being written.

Krita has shortcuts for nearly every key, and asks the widget with the focus first, by an event of its own: what is
accepted there comes as a key, and is no shortcut. Qt's own fields leave it some that everybody presses in text: Krita
fills the layer by Ctrl+Backspace, adds one by Insert, and merges two by Ctrl+E.
"""

from __future__ import annotations

from .qt import Qt, QtCore, QtGui

__all__ = ["Typed", "is_for_text"]

_Key = Qt.Key
_Held = Qt.KeyboardModifier
# Whatever is held with them.
_ALWAYS = (
    *(_Key.Key_Backspace, _Key.Key_Delete, _Key.Key_Insert, _Key.Key_Return, _Key.Key_Enter),
    *(_Key.Key_Left, _Key.Key_Right, _Key.Key_Up, _Key.Key_Down),
    *(_Key.Key_Home, _Key.Key_End, _Key.Key_PageUp, _Key.Key_PageDown),
)
# With nothing held, or Shift. Tab goes to the next field.
_PLAIN = (_Key.Key_Tab, _Key.Key_Backtab)
# To and from the clipboard, there and back, to the line's end, and deleting what is before, behind or around.
_WITH_CONTROL = (
    *(_Key.Key_A, _Key.Key_C, _Key.Key_V, _Key.Key_X, _Key.Key_Y, _Key.Key_Z),
    *(_Key.Key_D, _Key.Key_E, _Key.Key_K, _Key.Key_U),
)


def is_for_text(event: QtGui.QKeyEvent) -> bool:
    """Whether a text field should have this key, and Krita not."""
    key, held = event.key(), event.modifiers()
    if key in _ALWAYS:
        return True
    if not held & (_Held.ControlModifier | _Held.AltModifier | _Held.MetaModifier):
        # The first of the keys that are no letters, digits or signs.
        return key < _Key.Key_Escape or key in _PLAIN
    return bool(held & _Held.ControlModifier) and not held & _Held.AltModifier and key in _WITH_CONTROL


class Typed:
    """A widget to write in."""

    def event(self, event: QtCore.QEvent) -> bool:
        if event.type() == QtCore.QEvent.Type.ShortcutOverride and is_for_text(event):
            event.accept()
            return True
        return bool(super().event(event))
