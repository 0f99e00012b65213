"""What a job is about: which document, how large its canvas is, what is selected, and the pixels of both."""

from __future__ import annotations

from dataclasses import dataclass

import krita

from bridge.client import Pixels, Refused
from bridge.protocol.messages import Extent, Rect

from .pixels import ColorSpace, to_wire, wire_depth
from .words import _

__all__ = ["Scene"]


@dataclass(frozen=True)
class Scene:
    """A document as it is when the job begins. ``selection`` is a copy; None: all of the canvas."""

    document: krita.Document
    canvas: Extent
    selection: krita.Selection | None

    @classmethod
    def of(cls, document: krita.Document | None) -> Scene:
        """Look at a document.

        Raises:
            Refused: there is none, or its selection has nothing in it.
        """
        if document is None:
            raise Refused(_("No document is open."), _("Open a picture, select an area, then try again."))
        selection = document.selection()
        if selection is not None:
            selection = selection.duplicate()
            if not (selection.width() and selection.height()):
                raise Refused(
                    _("The selection is empty: there is nothing to repaint."), _("Select an area, then try again.")
                )
        return cls(document, Extent(document.width(), document.height()), selection)

    @property
    def is_open(self) -> bool:
        return self.document in krita.Krita.instance().documents()

    @property
    def bounds(self) -> Rect | None:
        """Those of the selection, which may lie partly off the canvas."""
        chosen = self.selection
        return None if chosen is None else Rect(chosen.x(), chosen.y(), chosen.width(), chosen.height())

    def picture(self, area: Rect) -> Pixels:
        """What is visible in an area.

        Raises:
            Refused: the document was closed, or has another size.
        """
        self.check()
        space = ColorSpace.of(self.document)
        data = self.document.pixelData(area.x, area.y, area.width, area.height)
        wire = to_wire(data, space, area.width, area.height)
        return Pixels(wire, area.width, area.height, 4, wire_depth(space))

    def coverage(self, area: Rect) -> Pixels | None:
        """How far each pixel of an area is selected; None: all are."""
        if self.selection is None:
            return None
        data = bytes(self.selection.pixelData(area.x, area.y, area.width, area.height))
        return Pixels(data, area.width, area.height, 1)

    def check(self) -> None:
        """Raises Refused where the document is no longer what the job was begun for."""
        if not self.is_open:
            raise Refused(
                _("The document of this picture was closed, so there is no place for the layer."),
                _("Open the document again, then generate anew."),
            )
        if Extent(self.document.width(), self.document.height()) != self.canvas:
            raise Refused(
                _("The canvas has another size than when this picture was begun, so it would not fit."),
                _("Undo the change of size, or generate anew."),
            )
