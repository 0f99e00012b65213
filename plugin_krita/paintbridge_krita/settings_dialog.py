"""The dialog *Paintbridge Settings*: the bridge's address and token, and what the docker starts with."""

from __future__ import annotations

from . import settings
from .fields import CheckBox, Choice, named
from .presets import saved
from .qt import Qt, QtWidgets
from .translation import _

__all__ = ["SettingsDialog"]


class SettingsDialog(QtWidgets.QDialog):
    """Saved when it is accepted."""

    def __init__(self, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(_("Paintbridge Settings"))
        self._address = named(
            QtWidgets.QLineEdit(), "address", _("Empty: the bridge of this machine is found by itself")
        )
        self._address.setPlaceholderText(_("Found by itself"))
        self._token = named(QtWidgets.QLineEdit(), "token", _("`paintbridge token` prints it"))
        self._token.setEchoMode(QtWidgets.QLineEdit.EchoMode.PasswordEchoOnEdit)
        self._preset = named(Choice(), "first_preset", _("What the docker begins with when Krita starts"))
        self._preset.add("", _("What suits the bridge"))
        for name in saved():
            self._preset.add(name, name)
        self._previews = named(
            CheckBox(_("Show previews on the canvas")), "previews", _("While a picture is being painted")
        )
        self._at_once = named(
            CheckBox(_("Apply pictures at once")),
            "apply_at_once",
            _("As layers, as soon as they are painted; the active layer stays the active one"),
        )
        for name, part in self._texts().items():
            part.setText(settings.load(name, ""))
        self._preset.set_field_value(settings.load("preset", ""))
        self._previews.set_field_value(settings.load("previews", True))
        self._at_once.set_field_value(settings.load("apply_at_once", False))
        rows = QtWidgets.QFormLayout()
        rows.addRow(_("Address of the bridge"), self._address)
        rows.addRow(_("Token"), self._token)
        rows.addRow(_("Preset at the start"), self._preset)
        rows.addRow(self._previews)
        rows.addRow(self._at_once)
        buttons = QtWidgets.QDialogButtonBox(
            QtWidgets.QDialogButtonBox.StandardButton.Ok | QtWidgets.QDialogButtonBox.StandardButton.Cancel,
            Qt.Orientation.Horizontal,
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QtWidgets.QVBoxLayout(self)
        column.addLayout(rows)
        column.addWidget(buttons)
        self.resize(420, self.sizeHint().height())

    def accept(self) -> None:
        for name, part in self._texts().items():
            settings.save(name, part.text().strip())
        settings.save("preset", self._preset.field_value())
        settings.save("previews", self._previews.field_value())
        settings.save("apply_at_once", self._at_once.field_value())
        super().accept()

    def _texts(self) -> dict[str, QtWidgets.QLineEdit]:
        return {"address": self._address, "token": self._token}
