"""Presets: values of the form that the artist has saved by name, without prompt and seed."""

from __future__ import annotations

from typing import Any

from . import settings
from .fields import Choice, named
from .icons import set_icon
from .qt import QtWidgets, Signal
from .translation import _

__all__ = ["Presets", "saved"]

_SETTING = "presets"


def saved() -> dict[str, dict[str, Any]]:
    """Values by the presets' names, in their order."""
    nothing: dict[str, Any] = {}
    found = settings.load(_SETTING, nothing)
    return {name: found[name] for name in sorted(found) if isinstance(found[name], dict)}


class Presets(QtWidgets.QWidget):
    """Signals: ``chosen`` has a preset's values; ``save_requested`` the name to call :meth:`save` with."""

    chosen = Signal(object)
    save_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._list = named(Choice(), "preset", _("Values that you have saved"))
        self._list.activated.connect(lambda _index: self._choose())
        self._menu = named(QtWidgets.QToolButton(), "preset_menu", _("Save and delete presets"))
        set_icon(self._menu, "preset")
        self._menu.setAutoRaise(True)
        self._menu.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QtWidgets.QMenu(self._menu)
        menu.addAction(_("Save as a Preset...")).triggered.connect(lambda _on: self._ask())
        self._delete = menu.addAction(_("Delete the Preset"))
        self._delete.triggered.connect(lambda _on: self._forget())
        menu.aboutToShow.connect(lambda: self._delete.setEnabled(bool(self._list.field_value())))
        self._menu.setMenu(menu)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(self._list, 1)
        row.addWidget(self._menu)
        self._show("")

    def begin(self) -> None:
        """Choose the preset that the settings name for the start."""
        self._show(settings.load("preset", ""))
        if self._list.field_value():
            self._choose()

    def save(self, name: str, values: dict[str, Any]) -> None:
        """Save values under a name."""
        settings.save(_SETTING, {**saved(), name: values})
        self._show(name)

    def _choose(self) -> None:
        self.chosen.emit(saved().get(self._list.field_value(), {}))

    def _ask(self) -> None:
        name, agreed = QtWidgets.QInputDialog.getText(
            self, _("Save as a Preset"), _("Name"), text=self._list.field_value() or ""
        )
        if agreed and name.strip():
            self.save_requested.emit(name.strip())

    def _forget(self) -> None:
        settings.save(_SETTING, {name: values for name, values in saved().items() if name != self._list.field_value()})
        self._show("")

    def _show(self, name: str) -> None:
        self._list.clear()
        self._list.add("", _("None"), _("As it is at the start"))
        for one in saved():
            self._list.add(one, one)
        self._list.set_field_value(name)
