"""The docker: its widgets, and what connects them."""

from __future__ import annotations

from collections.abc import Callable

import krita

from bridge.client import BridgeClosed, JobResult
from bridge.client.job import JobUpdate
from bridge.protocol.messages import Preview

from . import settings
from .auto_mode import AutoMode
from .checkpoints_dialog import CheckpointsDialog
from .connection import Connection
from .demo_model import DemoModelRow
from .disconnected import DisconnectedPanel
from .docker_place import place_once, say_on_canvas
from .error_text import error_text
from .fields import named
from .form import Form
from .icons import set_icon, update_icons
from .job_buttons import JobButtons, row_of
from .job_target import TargetChanged
from .jobs import Jobs
from .layers import layer_name
from .leaving import LeavingQuestion
from .message_widget import MessageWidget, label
from .ordering import Ordering
from .overlay import Overlay, OverlayImage
from .painting import Order, Painting
from .preview import overlay_of_preview
from .progress import Progress
from .qt import QtCore, QtGui, QtWidgets
from .results import Results
from .scroll_areas import DockerScrollArea
from .settings_dialog import SettingsDialog
from .translation import _, said

__all__ = ["DOCKER_ID", "PaintbridgeDocker"]

DOCKER_ID = "paintbridge"


class PaintbridgeDocker(krita.DockWidget):
    """The form, the jobs under way and the results. Several jobs may wait at the bridge."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("Paintbridge")
        self._disconnected = DisconnectedPanel()
        self._demo_model = DemoModelRow()
        self._form = Form()
        self._ordering = Ordering(self, self._form)
        self._buttons = JobButtons(self._ordering)
        self._progress = Progress()
        self._cancel = named(QtWidgets.QToolButton(), "cancel", _("Cancel"))
        set_icon(self._cancel, "cancel")
        self._cancel.setAutoRaise(True)
        self._message = MessageWidget()
        self._results = Results()
        self._state = label("state")
        self._settings = named(QtWidgets.QToolButton(), "settings", _("Paintbridge Settings"))
        set_icon(self._settings, "settings")
        self._settings.setAutoRaise(True)
        self._checkpoints_dialog = CheckpointsDialog(self)
        self._overlay = Overlay(self)
        self._connection = Connection(self)
        self._jobs = Jobs(self)
        self._auto_mode = AutoMode(self, self._form.planning)
        self._leaving = LeavingQuestion(self, self._results.waiting)
        self._lay_out()
        self._connect_all()
        self._form.begin()
        self._show_state()
        self._connection.find()

    def canvasChanged(self, canvas: krita.Canvas | None) -> None:
        """Krita calls this when another view becomes active. Results stay: they belong to their documents."""
        # Not `window()`: that is the docker itself while it floats.
        window = self.parentWidget()
        self._overlay.set_canvas(canvas, window)
        view = None if canvas is None else canvas.view()
        document = None if view is None else view.document()
        self._leaving.watch(window, document)
        self._results.set_document(document)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        super().showEvent(event)
        # Krita's window takes its dockers from their places within this event.
        QtCore.QTimer.singleShot(0, lambda: place_once(self))

    def changeEvent(self, event: QtCore.QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.PaletteChange:
            # Krita's theme has changed; Krita updates its icons after this event.
            QtCore.QTimer.singleShot(0, lambda: update_icons(self))

    # ------------------------------------------------------------ commands, by button or shortcut

    def generate(self) -> None:
        """Start a job with the form's values."""
        self._ordering.generate()

    def four(self) -> None:
        """Start one for four pictures."""
        self._ordering.four()

    def remove(self) -> None:
        """Let the surroundings grow together over what is selected."""
        self._ordering.remove()

    def expand(self) -> None:
        """Ask how far the canvas is to grow, let it grow, and paint what is new."""
        self._ordering.expand()

    def again(self) -> None:
        """The selected picture once more, with another seed."""
        self._results.send_again()

    def cancel(self) -> None:
        """Cancel the oldest job."""
        self._jobs.cancel()

    def apply(self) -> None:
        """Add the selected pictures as layers."""
        self._results.apply()

    def next(self) -> None:
        """Choose the next picture."""
        self._results.step(1)

    def previous(self) -> None:
        """Choose the picture before."""
        self._results.step(-1)

    def compare(self) -> None:
        """Hide the picture over the canvas, or show it again."""
        self._overlay.toggle()

    def discard(self) -> None:
        """Take the selected pictures off the list."""
        self._results.discard()

    # ------------------------------------------------------------ jobs

    def _generate_from_the_prompt(self) -> None:
        """Ctrl+Enter. The next keys are meant for the canvas."""
        under_way = len(self._jobs.under_way)
        self.generate()
        if len(self._jobs.under_way) > under_way:
            self._overlay.focus_canvas()

    def _paint(self, order: Order) -> None:
        bridge = self._connection.bridge
        if bridge is None:
            return
        self._message.show_message("")
        self._results.clear_selection()
        try:
            self._jobs.begin(bridge, order)
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._fail(error)

    def _follow(self, painting: Painting, event: JobUpdate) -> None:
        if painting is not self._jobs.under_way[0]:
            return
        if not isinstance(event, Preview):
            self._progress.follow(event)
        elif not self._results.is_previewing and settings.load("previews", True):
            self._overlay.replace(overlay_of_preview(painting.order, event))

    def _take(self, order: Order, result: JobResult, images: list[QtGui.QImage]) -> None:
        self._results.add(order, result, images, at_once=settings.load("apply_at_once", False))
        if result.hints:
            self._say("\n".join(map(said, result.hints)))

    def _offer_again(self, error: Exception) -> None:
        """Jobs were lost with their bridge: offer to send them again."""
        names = ", ".join(layer_name(order.values["prompt"], _("Paintbridge")) for order in self._jobs.lost)
        words = _("Lost with it: {names}. What was sent is still here.").format(names=names)
        self._say(f"{error_text(error)}\n{words}", _("Send Again"), self._send_again)

    def _send_again(self) -> None:
        bridge = self._connection.bridge
        if bridge is None:
            self._offer_again(self._connection.error or BridgeClosed())
        else:
            self._jobs.send_again(bridge)

    def _refuse(self, error: Exception, place: Callable[[krita.Document], None]) -> None:
        """Pictures were not applied: say why, and offer to add them all the same if a document can take them."""
        document = error.document if isinstance(error, TargetChanged) else None
        if document is None:
            self._fail(error)
        else:
            self._say(error_text(error), _("Add It All the Same"), lambda: place(document))

    # ------------------------------------------------------------ display

    def _fail(self, error: Exception) -> None:
        self._say(error_text(error))

    def _say(self, words: str, action: str = "", accepted: Callable[[], None] | None = None) -> None:
        """Show a message; where the docker is closed, or below another one, on the canvas too."""
        self._message.show_message(words, action, accepted)
        if not self.isVisible():
            say_on_canvas(words)

    def _show_state(self) -> None:
        words = {
            "looking": _("Looking for the bridge..."),
            "starting": _("Starting the bridge..."),
            "open": _("Connected to the bridge."),
            "interrupted": _("The connection broke; taking it up again."),
            "absent": _("Not connected."),
        }
        self._state.setText(words[self._connection.state])
        self._disconnected.show_error(self._connection.error)
        # The form is of no use without a bridge.
        for part in (self._form, self._form.options):
            part.setVisible(self._connection.state != "absent")
        self._show_checkpoints()
        self._show_buttons()

    def _show_checkpoints(self) -> None:
        bridge = self._connection.bridge
        if bridge is not None:
            self._form.offer(bridge)
        self._checkpoints_dialog.set_bridge(bridge)
        self._auto_mode.set_bridge(bridge)
        self._show_demo_model()

    def _show_demo_model(self) -> None:
        self._demo_model.show_checkpoint(None if self._connection.bridge is None else self._form.checkpoint)

    def _show_buttons(self) -> None:
        connected, jobs = self._connection.bridge is not None, self._jobs.under_way
        self._buttons.setEnabled(connected)
        self._results.set_connected(connected)
        self._cancel.setEnabled(bool(jobs))
        self._cancel.setVisible(bool(jobs))
        self._progress.show_for(jobs[0] if jobs else None, max(len(jobs) - 1, 0))

    def _show_jobs(self) -> None:
        self._show_buttons()
        if not self._results.is_previewing:
            # The preview of what has ended.
            self._overlay.show(None)

    def _show_on_canvas(self, image: OverlayImage | None, is_other: bool) -> None:
        show = self._overlay.show if is_other else self._overlay.replace
        show(image)

    def _set(self) -> None:
        """The settings."""
        dialog = SettingsDialog(self)
        if dialog.exec():
            self._connection.reconnect()
        dialog.deleteLater()

    def _connect_all(self) -> None:
        self._connection.changed.connect(self._show_state)
        self._connection.checkpoints_changed.connect(self._show_checkpoints)
        self._connection.pulled.connect(self._checkpoints_dialog.follow)
        self._disconnected.start.connect(self._connection.start)
        self._disconnected.settings.connect(self._set)
        self._settings.clicked.connect(self._set)
        self._demo_model.picked.connect(self._form.prompt.set_field_value)
        self._demo_model.others.connect(self._checkpoints_dialog.show)
        self._form.sent.connect(self._generate_from_the_prompt)
        self._form.unfolded.connect(self._scroll_area.reveal)
        self._form.changed.connect(self._auto_mode.update)
        self._form.changed.connect(self._show_demo_model)
        self._auto_mode.resolved.connect(self._form.show_auto_mode)
        self._jobs.changed.connect(self._show_jobs)
        self._jobs.progressed.connect(self._follow)
        self._jobs.painted.connect(self._take)
        self._jobs.failed.connect(lambda _order, error: self._fail(error))
        self._jobs.missed.connect(self._offer_again)
        self._ordering.ordered.connect(self._paint)
        self._ordering.failed.connect(self._fail)
        self._cancel.clicked.connect(self.cancel)
        self._results.again.connect(self._paint)
        self._results.reuse.connect(self._form.reuse)
        self._results.preview_changed.connect(self._show_on_canvas)
        self._results.compare_held.connect(self._overlay.set_hidden)
        self._results.refused.connect(self._refuse)

    def _lay_out(self) -> None:
        progress = row_of(self._progress, self._cancel)
        foot = row_of(self._state, self._settings)
        self._scroll_area = DockerScrollArea()
        column = self._scroll_area.column
        # What is needed for each picture comes first: in a low docker the rest is scrolled to.
        column.addWidget(self._disconnected)
        column.addWidget(self._form)
        column.addWidget(self._buttons)
        column.addLayout(progress)
        column.addWidget(self._message)
        column.addWidget(self._results, 1)
        column.addWidget(self._demo_model)
        column.addWidget(self._form.options)
        column.addLayout(foot)
        self.setWidget(self._scroll_area)
