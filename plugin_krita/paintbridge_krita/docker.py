"""The docker."""

from __future__ import annotations

from collections.abc import Callable

import krita

from bridge.client import JobResult
from bridge.client.job import JobUpdate
from bridge.protocol.messages import Preview

from . import settings
from .absence import Absence
from .connection import Connection
from .demo import Demo
from .failures import words_for
from .fields import named
from .forecast import Forecast
from .form import Form
from .icons import dress, dress_anew
from .jobs import Jobs
from .layers import layer_name
from .notice import Notice, label
from .overlay import Overlay
from .painting import Order, Painting
from .preview import sight_of_preview
from .progress import Progress
from .qt import QtCore, QtGui, QtWidgets
from .results import Painted, Results
from .scene import Misfit, Scene
from .scrolled import Whole
from .settings_dialog import SettingsDialog
from .shop import Shop
from .words import _, said

__all__ = ["DOCKER_ID", "PaintbridgeDocker"]

DOCKER_ID = "paintbridge"


class PaintbridgeDocker(krita.DockWidget):
    """What the artist sees of Paintbridge. Jobs wait for their turn at the bridge; their results stay when they end."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("Paintbridge")
        self._absence = Absence()
        self._demo = Demo()
        self._form = Form(self._demo)
        self._generate = named(QtWidgets.QPushButton(_("Generate")), "generate")
        self._cancel = named(QtWidgets.QPushButton(_("Cancel")), "cancel")
        self._progress = Progress()
        self._notice = Notice()
        self._results = Results()
        self._state = label("state")
        self._settings = named(QtWidgets.QToolButton(), "settings", _("Paintbridge Settings"))
        dress(self._settings, "settings")
        self._settings.setAutoRaise(True)
        self._shop = Shop(self)
        self._overlay = Overlay(self)
        self._connection = Connection(self)
        self._jobs = Jobs(self)
        self._forecast = Forecast(self, lambda selected: self._form.planning(selected=selected))
        self._lay_out()
        self._connect_all()
        self._form.begin()
        self._show_state()
        self._connection.look()

    def canvasChanged(self, canvas: krita.Canvas | None) -> None:
        """Krita asks every docker for it. Results belong to their documents, whichever is looked at."""
        # Not `window()`: that is the docker itself while it floats.
        self._overlay.look_at(canvas, self.parentWidget())

    def changeEvent(self, event: QtCore.QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.PaletteChange:
            # Krita's theme is another one; its icons are when it has done with that.
            QtCore.QTimer.singleShot(0, lambda: dress_anew(self))

    # ------------------------------------------------------------ what an artist does, here or by a shortcut

    def generate(self) -> None:
        """Begin a job with what the form says."""
        try:
            scene = Scene.of(krita.Krita.instance().activeDocument(), self._form.source)
            order = Order(scene, self._form.values(selected=scene.selection is not None))
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._fail(error)
        else:
            self._form.sent_off()
            self._paint(order)

    def again(self) -> None:
        """The chosen picture once more, with another seed."""
        self._results.send_again()

    def cancel(self) -> None:
        """End the oldest job."""
        self._jobs.cancel()

    def apply(self) -> None:
        """The chosen pictures, as layers."""
        self._results.apply()

    # ------------------------------------------------------------ a job

    def _paint(self, order: Order) -> None:
        bridge = self._connection.bridge
        if bridge is None:
            return
        self._notice.say("")
        self._results.look_away()
        try:
            self._jobs.begin(bridge, order)
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._fail(error)

    def _follow(self, painting: Painting, event: JobUpdate) -> None:
        if painting is not self._jobs.under_way[0]:
            return
        if not isinstance(event, Preview):
            self._progress.follow(event)
        elif not self._results.looked_at and settings.load("previews", True):
            self._overlay.show(sight_of_preview(painting.order, event))

    def _take(self, order: Order, result: JobResult, images: list[QtGui.QImage]) -> None:
        self._results.add(order, result, images)
        if result.hints:
            self._notice.say("\n".join(map(said, result.hints)))

    def _offer_again(self, error: Exception) -> None:
        """Jobs were lost with their bridge."""
        names = ", ".join(layer_name(order.values["prompt"], _("Paintbridge")) for order in self._jobs.lost)
        words = _("Lost with it: {names}. What was sent is still here.").format(names=names)
        self._notice.say(f"{words_for(error)}\n{words}", _("Send Again"), self._send_again)

    def _send_again(self) -> None:
        bridge = self._connection.bridge
        if bridge is None:
            self._offer_again(self._connection.error)
        else:
            self._jobs.send_again(bridge)

    def _refuse(self, error: Exception, place: Callable[[krita.Document], None]) -> None:
        """Pictures were not applied."""
        document = error.document if isinstance(error, Misfit) else None
        if document is None:
            self._fail(error)
        else:
            self._notice.say(words_for(error), _("Add It All the Same"), lambda: place(document))

    def _reuse(self, painted: Painted) -> None:
        self._form.reuse(painted.layer.recipe, painted.order.values)

    # ------------------------------------------------------------ what is shown

    def _fail(self, error: Exception) -> None:
        self._notice.say(words_for(error))

    def _show_state(self) -> None:
        words = {
            "looking": _("Looking for the bridge..."),
            "starting": _("Starting the bridge..."),
            "open": _("Connected to the bridge."),
            "interrupted": _("The connection broke; taking it up again."),
            "absent": _("Not connected."),
        }
        self._state.setText(words[self._connection.state])
        self._absence.explain(self._connection.error)
        # Without a bridge there is nothing to fill in for.
        self._form.setVisible(self._connection.state != "absent")
        self._show_checkpoints()
        self._show_buttons()

    def _show_checkpoints(self) -> None:
        bridge = self._connection.bridge
        if bridge is not None:
            self._form.offer(bridge)
        self._shop.offer(bridge)
        self._forecast.ask(bridge)
        self._introduce()

    def _introduce(self) -> None:
        self._demo.introduce(None if self._connection.bridge is None else self._form.checkpoint)

    def _show_buttons(self) -> None:
        connected, jobs = self._connection.bridge is not None, self._jobs.under_way
        self._generate.setEnabled(connected)
        self._results.be_ready(connected)
        self._cancel.setEnabled(bool(jobs))
        self._progress.show_for(jobs[0] if jobs else None, max(len(jobs) - 1, 0))

    def _show_jobs(self) -> None:
        self._show_buttons()
        if not self._results.looked_at:
            # The preview of what has ended.
            self._overlay.show(None)

    def _set(self) -> None:
        """The settings."""
        dialog = SettingsDialog(self)
        if dialog.exec():
            self._connection.look_elsewhere()
        dialog.deleteLater()

    def _connect_all(self) -> None:
        self._connection.changed.connect(self._show_state)
        self._connection.checkpoints_known.connect(self._show_checkpoints)
        self._connection.pulled.connect(self._shop.follow)
        self._absence.start.connect(self._connection.start)
        self._absence.settings.connect(self._set)
        self._settings.clicked.connect(self._set)
        self._demo.picked.connect(self._form.prompt.choose)
        self._demo.others.connect(self._shop.show)
        self._form.sent.connect(self.generate)
        self._form.changed.connect(self._forecast.look)
        self._form.changed.connect(self._introduce)
        self._forecast.known.connect(self._form.expect)
        self._jobs.changed.connect(self._show_jobs)
        self._jobs.progressed.connect(self._follow)
        self._jobs.painted.connect(self._take)
        self._jobs.failed.connect(lambda _order, error: self._fail(error))
        self._jobs.missed.connect(self._offer_again)
        self._generate.clicked.connect(self.generate)
        self._cancel.clicked.connect(self.cancel)
        self._results.again.connect(self._paint)
        self._results.reuse.connect(self._reuse)
        self._results.seen.connect(self._overlay.show)
        self._results.lifted.connect(self._overlay.lift)
        self._results.refused.connect(self._refuse)

    def _lay_out(self) -> None:
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._generate, 1)
        row.addWidget(self._cancel)
        foot = QtWidgets.QHBoxLayout()
        foot.addWidget(self._state, 1)
        foot.addWidget(self._settings)
        whole = Whole()
        column = whole.column
        column.addWidget(self._absence)
        column.addWidget(self._form)
        column.addLayout(row)
        column.addWidget(self._progress)
        column.addWidget(self._notice)
        column.addWidget(self._results, 1)
        column.addLayout(foot)
        self.setWidget(whole)
