"""Pictures that guide the model, from files of the picture's size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..client import ConditionPixels, RegionPixels
from ..control_kinds import CONTROL_KINDS
from ..protocol.messages import Extent, Rect
from .exchange import sendable, to_wire
from .exits import CliError
from .masks import Selection, mask_selection
from .pictures import PictureFile, open_picture

__all__ = ["ConditionFile", "RegionFile", "open_condition", "open_region"]


@dataclass(frozen=True)
class ConditionFile:
    """A condition whose files are there; ``said`` are its fields."""

    said: Mapping[str, Any]
    picture: PictureFile
    mask: Selection | None

    def read(self, context: Rect) -> ConditionPixels:
        """The condition for a rectangle of the picture.

        Raises:
            CliError: a file is damaged.
        """
        mask = None if self.mask is None else sendable(self.mask.read(context))
        whole = Rect(0, 0, self.picture.width, self.picture.height)
        picture = sendable(to_wire(self.picture, context if CONTROL_KINDS[self.said["kind"]].is_map else whole))
        return ConditionPixels(**{**self.said, "picture": picture, "mask": mask})


def open_condition(said: Mapping[str, Any], width: int, height: int) -> ConditionFile:
    """See that the files are there, and of the picture's size; a reference may have any.

    Raises:
        CliError: they are not, or cannot be read.
    """
    picture = open_picture(said["picture"])
    if CONTROL_KINDS[said["kind"]].is_map and (picture.width, picture.height) != (width, height):
        raise CliError(
            f"{said['picture'].name} is {picture.width} x {picture.height}, but the picture is {width} x {height}.",
            "Save the condition at the size of the picture.",
        )
    return ConditionFile(said, picture, mask_selection(said["mask"], Extent(width, height)) if "mask" in said else None)


@dataclass(frozen=True)
class RegionFile:
    """A region whose mask is there; ``said`` are its fields."""

    said: Mapping[str, Any]
    mask: Selection

    def read(self, context: Rect) -> RegionPixels:
        """The region for a rectangle of the picture.

        Raises:
            CliError: the mask is damaged.
        """
        return RegionPixels(**{**self.said, "mask": sendable(self.mask.read(context))})


def open_region(said: Mapping[str, Any], width: int, height: int) -> RegionFile:
    """See that the mask is there, and of the picture's size.

    Raises:
        CliError: it is not, or cannot be read.
    """
    return RegionFile(said, mask_selection(said["mask"], Extent(width, height)))
