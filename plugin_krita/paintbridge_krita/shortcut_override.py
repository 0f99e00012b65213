"""Keys that edit text while a text field has the focus, and are no shortcuts of Krita's then.

Qt sends the focused widget a ``ShortcutOverride`` event first: a key that is accepted there is no shortcut. Qt's own
text fields leave some text keys to Krita, which fills the layer by Ctrl+Backspace, adds one by Insert and merges two by
Ctrl+E.
"""

from __future__ import annotations

from .qt import Qt, QtCore, QtGui, WidgetMixin

__all__ = ["TextShortcutOverride", "is_shortcut_override", "is_text_key"]

_Key = Qt.Key
_Modifier = Qt.KeyboardModifier
# With any modifier.
_ALWAYS = (
    *(_Key.Key_Backspace, _Key.Key_Delete, _Key.Key_Insert, _Key.Key_Return, _Key.Key_Enter),
    *(_Key.Key_Left, _Key.Key_Right, _Key.Key_Up, _Key.Key_Down),
    *(_Key.Key_Home, _Key.Key_End, _Key.Key_PageUp, _Key.Key_PageDown),
)
# Without a modifier, or with Shift. Tab moves to the next field.
_PLAIN = (_Key.Key_Tab, _Key.Key_Backtab)
# Clipboard, select all, undo and redo, end of line, and deletions.
_WITH_CONTROL = (
    *(_Key.Key_A, _Key.Key_C, _Key.Key_V, _Key.Key_X, _Key.Key_Y, _Key.Key_Z),
    *(_Key.Key_D, _Key.Key_E, _Key.Key_K, _Key.Key_U),
)


def is_text_key(event: QtGui.QKeyEvent) -> bool:
    """Whether a text field should get this key, and Krita should not."""
    key, modifiers = event.key(), event.modifiers()
    if key in _ALWAYS:
        return True
    if not modifiers & (_Modifier.ControlModifier | _Modifier.AltModifier | _Modifier.MetaModifier):
        # Key_Escape is the first key code that is no printable character.
        return key < _Key.Key_Escape or key in _PLAIN
    with_control = bool(modifiers & _Modifier.ControlModifier) and not modifiers & _Modifier.AltModifier
    return with_control and key in _WITH_CONTROL


def is_shortcut_override(event: QtCore.QEvent) -> bool:
    """Whether Qt asks by this event if the widget takes a key itself."""
    return event.type() == QtCore.QEvent.Type.ShortcutOverride


class TextShortcutOverride(WidgetMixin):
    """A mixin for text fields: accepts text keys before Krita's shortcuts do."""

    def event(self, event: QtCore.QEvent) -> bool:
        if isinstance(event, QtGui.QKeyEvent) and is_shortcut_override(event) and is_text_key(event):
            event.accept()
            return True
        return super().event(event)
