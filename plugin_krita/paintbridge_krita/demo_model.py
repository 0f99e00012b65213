"""The docker's row for a demo checkpoint: the things that it can paint by name, and a button to other checkpoints."""

from __future__ import annotations

from bridge.protocol.messages import CheckpointInfo

from .fields import named
from .qt import QtWidgets, Signal
from .translation import _

__all__ = ["DemoModelRow"]


class DemoModelRow(QtWidgets.QWidget):
    """Signals: ``picked`` (a name for the prompt), ``others`` (show other checkpoints)."""

    picked = Signal(str)
    others = Signal()

    def __init__(self) -> None:
        super().__init__()
        words = named(QtWidgets.QLabel(_("Demo model")), "demo_model", _("Small, for trying out"))
        # On two lines in a narrow docker.
        words.setWordWrap(True)
        self._known = named(QtWidgets.QToolButton(), "known", _("What it can paint by name"))
        self._known.setText(_("It Knows"))
        # The arrow beside the words, not below them; both open it.
        self._known.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self._known.clicked.connect(lambda _on: self._known.showMenu())
        self._menu = QtWidgets.QMenu(self._known)
        # One column that scrolls where the screen is lower.
        self._menu.setStyleSheet("QMenu { menu-scrollable: 1; }")
        self._menu.triggered.connect(lambda action: self.picked.emit(action.text()))
        self._known.setMenu(self._menu)
        others = named(QtWidgets.QToolButton(), "others", _("Checkpoints that the bridge can fetch"))
        others.setText(_("Get a Real One..."))
        others.clicked.connect(lambda _on: self.others.emit())
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(words, 1)
        row.addWidget(self._known)
        row.addWidget(others)
        self.hide()

    def show_checkpoint(self, checkpoint: CheckpointInfo | None) -> None:
        """Visible for a demo checkpoint only."""
        self.setVisible(checkpoint is not None and checkpoint.demo)
        if checkpoint is not None and checkpoint.demo:
            self._menu.clear()
            for name in sorted(checkpoint.known_names, key=str.casefold):
                self._menu.addAction(name)
