"""The docker."""

from __future__ import annotations

import krita

from bridge.client import JobResult
from bridge.client.job import JobUpdate

from .connection import Connection
from .failures import words_for
from .form import Form
from .jobs import Jobs
from .notice import Notice, label
from .painting import Order, Painting
from .progress import Progress
from .qt import QtGui, QtWidgets
from .results import Results
from .scene import Misfit, Scene
from .words import _

__all__ = ["DOCKER_ID", "PaintbridgeDocker"]

DOCKER_ID = "paintbridge"


class PaintbridgeDocker(krita.DockWidget):
    """What the artist sees of Paintbridge. Jobs wait for their turn at the bridge; their results stay when they end."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("Paintbridge")
        self._form = Form()
        self._generate = _button("generate", _("Generate"))
        self._cancel = _button("cancel", _("Cancel"))
        self._progress = Progress()
        self._notice = Notice()
        self._results = Results()
        self._state = label("state")
        self._lay_out()
        self._connection = Connection(self)
        self._connection.changed.connect(self._show_state)
        self._connection.checkpoints_known.connect(self._show_checkpoints)
        self._jobs = Jobs(self)
        self._jobs.changed.connect(self._show_buttons)
        self._jobs.progressed.connect(self._follow)
        self._jobs.painted.connect(self._take)
        self._jobs.failed.connect(lambda _order, error: self._fail(error))
        self._jobs.missed.connect(self._offer_again)
        self._generate.clicked.connect(self._begin)
        self._cancel.clicked.connect(self._jobs.cancel)
        self._results.again.connect(self._paint)
        self._results.refused.connect(self._refuse)
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
        if bridge is None:
            return
        self._notice.say("")
        try:
            self._jobs.begin(bridge, order)
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._fail(error)

    def _follow(self, painting: Painting, event: JobUpdate) -> None:
        if painting is self._jobs.under_way[0]:
            self._progress.follow(event)

    def _take(self, order: Order, result: JobResult, images: list[QtGui.QImage]) -> None:
        self._results.add(order, result, images)
        if result.hints:
            self._notice.say("\n".join(result.hints))

    def _offer_again(self, error: Exception) -> None:
        """Jobs were lost with their bridge."""
        count = len(self._jobs.lost)
        words = _("Jobs that were lost with it: {count}. Their pixels are still here.").format(count=count)
        self._notice.say(f"{words_for(error)}\n{words}", _("Send Again"), self._send_again)

    def _send_again(self) -> None:
        bridge = self._connection.bridge
        if bridge is None:
            self._offer_again(self._connection.error)
        else:
            self._jobs.send_again(bridge)

    def _refuse(self, error: Exception, item: QtWidgets.QListWidgetItem) -> None:
        """A picture was not applied."""
        document = error.document if isinstance(error, Misfit) else None
        if document is None:
            self._fail(error)
        else:
            self._notice.say(words_for(error), _("Add It All the Same"), lambda: self._results.place(item, document))

    # ------------------------------------------------------------ what is shown

    def _fail(self, error: Exception) -> None:
        self._notice.say(words_for(error))

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
        connected, busy = self._connection.bridge is not None, bool(self._jobs.under_way)
        self._generate.setEnabled(connected)
        self._results.be_ready(connected)
        self._cancel.setEnabled(busy)
        self._progress.show_for(self._jobs.under_way[0] if busy else None)

    def _lay_out(self) -> None:
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._generate)
        row.addWidget(self._cancel)
        whole = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(whole)
        column.addWidget(self._form)
        column.addLayout(row)
        column.addWidget(self._progress)
        column.addWidget(self._notice)
        column.addWidget(self._results, 1)
        column.addWidget(self._state)
        self.setWidget(whole)


def _button(name: str, title: str) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(title)
    button.setObjectName(f"paintbridge_{name}")
    return button
