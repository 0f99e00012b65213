"""The demo checkpoint says what it is, what it knows, and that there are others."""

from __future__ import annotations

from bridge.protocol.messages import CheckpointInfo

from .fields import named
from .qt import QtWidgets, Signal
from .words import _

__all__ = ["Demo"]


class Demo(QtWidgets.QWidget):
    """``picked``: a thing that it knows, for the prompt; ``others``: the artist wants a real one."""

    picked = Signal(str)
    others = Signal()

    def __init__(self) -> None:
        super().__init__()
        words = named(QtWidgets.QLabel(_("Demo model")), "demo", _("Small, for trying out"))
        # On two lines in a narrow docker.
        words.setWordWrap(True)
        self._known = named(QtWidgets.QToolButton(), "known", _("What it can paint by name"))
        self._known.setText(_("It Knows"))
        # The arrow beside the words, not below them; both open it.
        self._known.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self._known.clicked.connect(lambda _on: self._known.showMenu())
        self._menu = QtWidgets.QMenu(self._known)
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

    def introduce(self, checkpoint: CheckpointInfo | None) -> None:
        """Seen for a demo checkpoint only."""
        self.setVisible(checkpoint is not None and checkpoint.demo)
        if checkpoint is not None and checkpoint.demo:
            self._menu.clear()
            for name in checkpoint.known_names:
                self._menu.addAction(name)
