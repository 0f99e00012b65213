"""The docker's panel while no bridge is connected: the reason, and buttons for what can be done about it."""

from __future__ import annotations

from bridge.client import BridgeNotFound, NotRunning
from bridge.client.starting import can_start, install_commands
from bridge.client.words import how_to_start

from . import settings
from .error_text import error_text
from .fields import named
from .qt import Qt, QtGui, QtWidgets, Signal
from .translation import _, said

__all__ = ["DisconnectedPanel"]


class DisconnectedPanel(QtWidgets.QFrame):
    """Signals: ``start`` (start the bridge), ``settings`` (open the settings)."""

    start = Signal()
    settings = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QtWidgets.QFrame.Shape.StyledPanel)
        self._text = named(QtWidgets.QLabel(), "disconnected")
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._start = named(QtWidgets.QPushButton(_("Start the Bridge")), "start")
        self._start.clicked.connect(lambda _on: self.start.emit())
        self._copy = named(QtWidgets.QPushButton(_("Copy the Commands")), "copy")
        self._copy.clicked.connect(lambda _on: QtGui.QGuiApplication.clipboard().setText("\n".join(install_commands())))
        self._settings = named(QtWidgets.QPushButton(_("Settings...")), "disconnected_settings")
        self._settings.clicked.connect(lambda _on: self.settings.emit())
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._text)
        for button in (self._start, self._copy, self._settings):
            column.addWidget(button)
        self.hide()

    def show_error(self, error: Exception | None) -> None:
        """Show why there is no bridge; None: there is one."""
        self.setVisible(error is not None)
        if error is None:
            return
        # A bridge at an address that the settings name is not started from here.
        missing = error if isinstance(error, BridgeNotFound) and not settings.load("address", "") else None
        startable = missing is not None and can_start(missing.start_command)
        # A bridge that has run before is installed, even where this program cannot see it.
        to_install = missing is not None and not startable and not isinstance(missing, NotRunning)
        if missing is not None and to_install:
            text = f"{said(missing.message)}\n{how_to_start(missing, _)}"
        elif missing is not None and startable:
            text = said(missing.message)
        else:
            text = error_text(error)
        self._text.setText(text)
        self._start.setVisible(startable)
        self._copy.setVisible(to_install)
        self._settings.setVisible(not startable and not to_install)
