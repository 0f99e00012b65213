"""The chosen picture over the canvas, as it would look in the document's layers; and where it would go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import krita

from bridge.client import ResultLayer

from .composed import Composed, composed
from .cooperative_task import CooperativeTask, Steps
from .error_text import error_text
from .overlay import OverlayImage
from .painting import Order
from .placement import Place, place_of
from .preview import overlay_of_result
from .qt import QtCore, QtGui, Signal
from .sources import VISIBLE
from .translation import _

__all__ = ["PaintedPicture", "PlacedPreview"]

_POLL_MS = 500

_Outcome = tuple[Place, Optional[Composed]]


@dataclass(frozen=True)
class PaintedPicture:
    """One picture of a job's result, with its order and as a QImage."""

    order: Order
    layer: ResultLayer
    image: QtGui.QImage


class PlacedPreview(QtCore.QObject):
    """``changed`` has what to show over the canvas, or None, and whether that is another picture than before; ``said``
    what the artist should know before the picture is applied, and whether :meth:`put_on_top` is offered.

    The picture is shown at once as above everything. Where layers lie above its place, Krita computes how it looks
    below them. Krita has no signal for another active layer, so it is polled.
    """

    changed = Signal(object, bool)
    said = Signal(str, bool)

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._picture: PaintedPicture | None = None
        self._on_top = False
        self._place: Place | None = None
        self._state: object = None
        self._task: CooperativeTask | None = None
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._follow)

    def show(self, picture: PaintedPicture | None) -> None:
        """Show another picture; None: none."""
        self._picture, self._on_top = picture, False
        self._look(is_other=True)

    def put_on_top(self) -> None:
        """Let the picture go above all layers."""
        self._on_top = True
        self._look()

    def place_in(self, document: krita.Document) -> Place:
        """Where it goes; in another document than its own, where any picture would go."""
        if self._place is not None and self._place.document == document:
            return self._place
        return place_of(document)

    def _look(self, *, is_other: bool = False) -> None:
        if self._task is not None:
            self._task.stop()
        self._task, self._place, self._state = None, None, None
        picture = self._picture
        if picture is None or not picture.order.target.is_open:
            self._timer.stop()
            self.changed.emit(None if picture is None else _plain(picture), is_other)
            self.said.emit("", False)
            return
        self._timer.start()
        self._place = self._place_now(picture)
        self._state = self._place.state
        self.changed.emit(_plain(picture), is_other)
        self.said.emit(self._place.words, False)
        if self._place.is_covered:
            self._task = CooperativeTask(_seen(self._place, picture))
            self._task.done.connect(self._show)
            self._task.failed.connect(self._fail)
            self._task.start()

    def _show(self, outcome: _Outcome) -> None:
        picture = self._picture
        assert picture is not None, "a task is stopped with its picture"
        self._task = None
        self._place, seen = outcome
        if seen is None:
            self.said.emit(self._place.words, False)
            return
        self.changed.emit(overlay_of_result(picture.order, picture.layer, seen.image), False)
        # A picture that was painted to fit all that is visible is changed by it once more.
        changed = not seen.as_painted and picture.order.target.source == VISIBLE
        words = [self._place.words]
        if changed:
            words.append(
                _("Layers above this place change how it looks. Looks at: Active layer and below avoids that.")
            )
        self.said.emit("\n".join(filter(None, words)), changed)

    def _fail(self, error: Exception) -> None:
        self._task = None
        self.said.emit(error_text(error), False)

    def _follow(self) -> None:
        """Look again where another layer is active, or others lie above it."""
        picture = self._picture
        if picture is None or krita.Krita.instance().activeDocument() != picture.order.target.document:
            return
        if self._place_now(picture).state != self._state:
            self._look()

    def _place_now(self, picture: PaintedPicture) -> Place:
        place = place_of(picture.order.target.document)
        return place.on_top() if self._on_top else place


def _seen(place: Place, picture: PaintedPicture) -> Steps[_Outcome]:
    """Returns the first place, from this one upwards, where anything of a picture is seen, and how it looks there;
    None: as above everything.
    """
    while True:
        found = yield from composed(place, picture.layer, picture.image)
        above = place.above_group() if found.unseen else None
        if above is None:
            return place, found
        place = above
        if not place.is_covered:
            return place, None


def _plain(picture: PaintedPicture) -> OverlayImage:
    return overlay_of_result(picture.order, picture.layer, picture.image)
