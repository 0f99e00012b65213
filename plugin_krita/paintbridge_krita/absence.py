"""No bridge: what the docker says then, and what can be done about it."""

from __future__ import annotations

from bridge.client import BridgeNotFound, NotRunning
from bridge.client.starting import can_start, install_commands
from bridge.client.words import how_to_start

from . import settings
from .failures import words_for
from .fields import named
from .qt import Qt, QtGui, QtWidgets, Signal
from .words import _, said

__all__ = ["Absence"]


class Absence(QtWidgets.QFrame):
    """``start``: the artist wants the bridge to be started; ``settings``: to enter another address."""

    start = Signal()
    settings = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QtWidgets.QFrame.Shape.StyledPanel)
        self._words = named(QtWidgets.QLabel(), "absence")
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._start = named(QtWidgets.QPushButton(_("Start the Bridge")), "start")
        self._start.clicked.connect(lambda _on: self.start.emit())
        self._copy = named(QtWidgets.QPushButton(_("Copy the Commands")), "copy")
        self._copy.clicked.connect(lambda _on: QtGui.QGuiApplication.clipboard().setText("\n".join(install_commands())))
        self._settings = named(QtWidgets.QPushButton(_("Settings...")), "absence_settings")
        self._settings.clicked.connect(lambda _on: self.settings.emit())
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._words)
        for button in (self._start, self._copy, self._settings):
            column.addWidget(button)
        self.hide()

    def explain(self, error: Exception | None) -> None:
        """Why there is no bridge; None: there is one."""
        self.setVisible(error is not None)
        if error is None:
            return
        # One that was named is somebody else's to start.
        missing = isinstance(error, BridgeNotFound) and not settings.load("address", "")
        startable = missing and can_start(error.start_command)
        # One that has run was installed, be it where this program cannot see it.
        to_install = missing and not startable and not isinstance(error, NotRunning)
        if to_install:
            words = f"{said(error.message)}\n{how_to_start(error, _)}"
        else:
            words = said(error.message) if startable else words_for(error)
        self._words.setText(words)
        self._start.setVisible(startable)
        self._copy.setVisible(to_install)
        self._settings.setVisible(not startable and not to_install)
