"""The docker."""

from __future__ import annotations

import krita

from .connection import Connection
from .failures import words_for
from .form import Form
from .painting import Order, Painting
from .progress import Progress
from .qt import Qt, QtWidgets
from .results import Results
from .scene import Scene
from .words import _

__all__ = ["DOCKER_ID", "PaintbridgeDocker"]

DOCKER_ID = "paintbridge"


class PaintbridgeDocker(krita.DockWidget):
    """What the artist sees of Paintbridge. One job at a time; its results stay when it has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("Paintbridge")
        self._painting: Painting | None = None
        self._form = Form()
        self._generate = _button("generate", _("Generate"))
        self._cancel = _button("cancel", _("Cancel"))
        self._progress = Progress()
        self._message = _label("message")
        self._message.hide()
        self._results = Results()
        self._state = _label("state")
        self._lay_out()
        self._connection = Connection(self)
        self._connection.changed.connect(self._show_state)
        self._connection.checkpoints_known.connect(self._show_checkpoints)
        self._generate.clicked.connect(self._begin)
        self._cancel.clicked.connect(self._stop)
        self._results.again.connect(self._paint)
        self._results.refused.connect(self._fail)
        self._show_state()
        self._connection.look()

    def canvasChanged(self, canvas: object) -> None:
        """Krita asks every docker for it. Results belong to their documents, whichever is looked at."""

    # ------------------------------------------------------------ a job

    def _begin(self) -> None:
        try:
            order = Order(Scene.of(krita.Krita.instance().activeDocument()), self._form.values())
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._fail(error)
        else:
            self._paint(order)

    def _paint(self, order: Order) -> None:
        bridge = self._connection.bridge
        if bridge is None or self._painting is not None:
            return
        self._say("")
        painting = Painting(bridge, order)
        painting.progressed.connect(self._progress.follow)
        painting.painted.connect(self._take)
        painting.failed.connect(self._fail_job)
        painting.cancelled.connect(self._end)
        self._painting = painting
        self._progress.begin()
        self._show_buttons()
        try:
            painting.start()
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._fail_job(error)

    def _stop(self) -> None:
        if self._painting is not None:
            self._painting.cancel()

    def _take(self, order: Order, result: object) -> None:
        self._end()
        try:
            self._results.add(order, result)
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._fail(error)
        else:
            self._say("\n".join(result.hints))

    def _fail_job(self, error: Exception) -> None:
        self._end()
        self._fail(error)

    def _end(self) -> None:
        self._painting = None
        self._progress.hide()
        self._show_buttons()

    # ------------------------------------------------------------ what is shown

    def _fail(self, error: Exception) -> None:
        self._say(words_for(error))

    def _say(self, words: str) -> None:
        self._message.setText(words)
        self._message.setVisible(bool(words))

    def _show_state(self) -> None:
        words = {
            "looking": _("Looking for the bridge..."),
            "open": _("Connected to the bridge."),
            "interrupted": _("The connection broke; taking it up again."),
        }
        error = self._connection.error
        self._state.setText(words.get(self._connection.state) or words_for(error))
        self._show_checkpoints()
        self._show_buttons()

    def _show_checkpoints(self) -> None:
        bridge = self._connection.bridge
        if bridge is not None:
            self._form.offer([checkpoint.name for checkpoint in bridge.checkpoints.checkpoints])

    def _show_buttons(self) -> None:
        ready = self._painting is None and self._connection.bridge is not None
        self._generate.setEnabled(ready)
        self._results.be_ready(ready)
        self._cancel.setEnabled(self._painting is not None)

    def _lay_out(self) -> None:
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._generate)
        row.addWidget(self._cancel)
        whole = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(whole)
        column.addWidget(self._form)
        column.addLayout(row)
        column.addWidget(self._progress)
        column.addWidget(self._message)
        column.addWidget(self._results, 1)
        column.addWidget(self._state)
        self.setWidget(whole)


def _button(name: str, title: str) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(title)
    button.setObjectName(f"paintbridge_{name}")
    return button


def _label(name: str) -> QtWidgets.QLabel:
    """Words that wrap, and can be copied: commands are among them."""
    label = QtWidgets.QLabel()
    label.setObjectName(f"paintbridge_{name}")
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
