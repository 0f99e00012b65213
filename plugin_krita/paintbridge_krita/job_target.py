"""What a job works on: document, canvas size and selection; and reading the pixels of both."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import krita

from bridge.client import Pixels, Refused
from bridge.protocol.messages import Extent, Rect

from .colors import wire_depth
from .cooperative_task import Steps
from .layer_positions import all_moved, layer_positions
from .modes import Repaints
from .pixels import to_wire
from .selections import selection_of
from .sources import VISIBLE, read
from .strips import Margins, select_strips
from .translation import _

__all__ = ["JobTarget", "TargetChanged"]


class TargetChanged(Refused):
    """The document has changed since the job began. ``document`` can still take the layer; None: none can."""

    def __init__(self, message: str, hint: str, document: krita.Document | None) -> None:
        super().__init__(message, hint)
        self.document = document


@dataclass(frozen=True)
class JobTarget:
    """A document as it is when the job begins. ``selection`` is a copy, or the strips beside the picture where nothing
    is selected; None: the whole canvas. ``source``: which layers the model sees, one of :data:`.sources.SOURCES`.
    """

    document: krita.Document
    file_name: str
    canvas: Extent
    selection: krita.Selection | None
    repaints: Repaints
    source: str
    layer_positions: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, document: krita.Document | None, source: str = VISIBLE, strips: Margins | None = None) -> JobTarget:
        """The target in a document. ``strips`` along the canvas's sides take the place of whatever is selected.

        Raises:
            Refused: there is none, or its selection has nothing in it.
        """
        if document is None:
            raise Refused(_("No document is open."), _("Open a picture, select an area, then try again."))
        selection = selection_of(document) if strips is None else select_strips(document, strips)
        repaints = Repaints.CANVAS if selection is None else Repaints.SELECTION
        if strips is not None:
            repaints = Repaints.STRIPS
        if selection is not None and not (selection.width() and selection.height()):
            raise Refused(
                _("The selection is empty: there is nothing to repaint."), _("Select an area, then try again.")
            )
        canvas = Extent(document.width(), document.height())
        return cls(document, document.fileName(), canvas, selection, repaints, source, layer_positions(document))

    @property
    def is_open(self) -> bool:
        return self.document in krita.Krita.instance().documents()

    @property
    def name(self) -> str:
        """What the artist calls the document."""
        return os.path.basename(self.file_name) or _("an unsaved picture")

    @property
    def is_animated(self) -> bool:
        """Whether any of its layers has frames."""
        waiting = list(self.document.rootNode().childNodes()) if self.is_open else []
        while waiting:
            node = waiting.pop()
            if node.animated():
                return True
            waiting.extend(node.childNodes())
        return False

    @property
    def bounds(self) -> Rect | None:
        """Those of the selection, which may lie partly off the canvas."""
        chosen = self.selection
        return None if chosen is None else Rect(chosen.x(), chosen.y(), chosen.width(), chosen.height())

    def picture(self, area: Rect) -> Steps[Pixels]:
        """Returns the pixels of an area, as ``source`` says.

        Raises:
            Refused: the document was closed or changed, or the layers to look at are none.
        """
        self.check()
        data, space = yield from read(self.document, self.source, area)
        yield None
        wire = yield from to_wire(data, space, area.width, area.height)
        return Pixels(wire, area.width, area.height, 4, wire_depth(space))

    def coverage(self, area: Rect) -> Pixels | None:
        """The selection in an area, 0..255; None: all is selected."""
        if self.selection is None:
            return None
        data = self.selection.pixelData(area.x, area.y, area.width, area.height)
        return Pixels(memoryview(data), area.width, area.height, 1)

    def check(self) -> None:
        """Raises TargetChanged if the document was closed, resized, or its layers moved, since the job began."""
        if not self.is_open:
            raise TargetChanged(
                _("The document of this picture was closed, so there is no place for the layer."),
                _("Open it again: the picture can be added to the document that is looked at."),
                krita.Krita.instance().activeDocument(),
            )
        if Extent(self.document.width(), self.document.height()) != self.canvas:
            raise TargetChanged(
                _("The canvas has another size than when this picture was begun."),
                _("Undo the change of size, or add it where it was computed."),
                self.document,
            )
        if all_moved(self.layer_positions, layer_positions(self.document)):
            raise TargetChanged(
                _("What is on the canvas was moved since this picture was begun."),
                _("Move it back, or add it where it was computed."),
                self.document,
            )
