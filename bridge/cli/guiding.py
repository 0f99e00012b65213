"""Pictures that guide the model, from files of the picture's size."""

from __future__ import annotations

from dataclasses import dataclass

from ..client import ConditionPixels
from ..protocol.messages import Rect
from .conditions import SaidCondition
from .exchange import sendable, to_wire
from .exits import CliError
from .masks import Selection, mask_selection
from .pictures import PictureFile, open_picture

__all__ = ["ConditionFile", "open_condition"]


@dataclass(frozen=True)
class ConditionFile:
    """A condition whose files are there."""

    said: SaidCondition
    picture: PictureFile
    mask: Selection | None

    def read(self, context: Rect) -> ConditionPixels:
        """The condition for a rectangle of the picture.

        Raises:
            CliError: a file is damaged.
        """
        said = self.said
        mask = None if self.mask is None else sendable(self.mask.read(context))
        picture = sendable(to_wire(self.picture, context))
        return ConditionPixels(said.kind, picture, mask, said.strength, said.start, said.end, said.controlnet)


def open_condition(said: SaidCondition, width: int, height: int) -> ConditionFile:
    """See that the files are there, and of the picture's size.

    Raises:
        CliError: they are not, or cannot be read.
    """
    picture = open_picture(said.path)
    if (picture.width, picture.height) != (width, height):
        raise CliError(
            f"{said.path.name} is {picture.width} x {picture.height}, but the picture is {width} x {height}.",
            "Save the condition at the size of the picture.",
        )
    return ConditionFile(said, picture, None if said.mask is None else mask_selection(said.mask, picture))
