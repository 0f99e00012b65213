"""The docker."""

from __future__ import annotations

import krita

from .connection import Connection
from .qt import QtWidgets

__all__ = ["DOCKER_ID", "PaintbridgeDocker"]

DOCKER_ID = "paintbridge"


class PaintbridgeDocker(krita.DockWidget):
    """What the artist sees of Paintbridge."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("Paintbridge")
        self._state = QtWidgets.QLabel()
        self._state.setObjectName("paintbridge_state")
        self._state.setWordWrap(True)
        self.setWidget(self._state)
        self._connection = Connection(self)
        self._connection.changed.connect(self._show_state)
        self._connection.look()

    def canvasChanged(self, canvas: object) -> None:
        pass

    def _show_state(self) -> None:
        words = {"open": "Connected to the bridge.", "interrupted": "The connection broke; taking it up again."}
        self._state.setText(words.get(self._connection.state) or str(self._connection.error))
