"""The demo checkpoint says what it is, what it knows, and that there are others."""

from __future__ import annotations

from bridge.protocol.messages import CheckpointInfo

from .fields import named
from .qt import Qt, QtWidgets, Signal
from .words import _

__all__ = ["Demo"]


class Demo(QtWidgets.QWidget):
    """``picked``: a thing that it knows, for the prompt; ``others``: the artist wants a real one."""

    picked = Signal(str)
    others = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._words = named(QtWidgets.QLabel(), "demo")
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.RichText)
        self._words.linkActivated.connect(self.picked)
        others = named(QtWidgets.QPushButton(_("Get a Real Checkpoint...")), "others")
        others.clicked.connect(lambda _on: self.others.emit())
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._words)
        column.addWidget(others)
        self.hide()

    def introduce(self, checkpoint: CheckpointInfo | None) -> None:
        """Seen for a demo checkpoint only."""
        self.setVisible(checkpoint is not None and checkpoint.demo)
        if checkpoint is not None and checkpoint.demo:
            colour = self.palette().windowText().color().name()
            known = ", ".join(f'<a style="color: {colour}" href="{name}">{name}</a>' for name in checkpoint.known_names)
            words = _("Demo model: small, for trying out. It knows by name: {names}.")
            self._words.setText(words.format(names=known))
