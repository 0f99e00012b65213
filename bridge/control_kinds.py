"""The kinds of pictures that guide a model, a row each: the one place where they are told.

This module travels with the client into the plug-ins: Python 3.9, standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Optional

__all__ = [
    "CONTROL_KINDS",
    "REFERENCE",
    "ControlKind",
    "PictureReading",
    "StrengthPreset",
    "map_kinds",
]

REFERENCE = "reference"
"""The kind of pictures that show what is to be painted, and not where."""


class PictureReading(Enum):
    """How a guide's picture is read and resized (`bridge.canvas.guides`)."""

    DRAWN_LINES = "drawn_lines"
    """Lines, by alpha or by contrast; resized by area, so that thin ones stay."""

    LABEL_COLOURS = "label_colours"
    """Areas in the colours of things; resized to the nearest, since colours between two would mean a third."""

    DEPTHS = "depths"
    """How near things are, white is nearest; what is transparent is far. Resized linearly, within its range."""

    NORMALS = "normals"
    """Where surfaces face, as colours; resized linearly, and made of length 1 again. What is transparent faces us."""

    FIGURES = "figures"
    """Coloured strokes on black, or on nothing; resized linearly."""

    COLOURS = "colours"
    """The picture's own colours, on white where it is transparent; resized as pictures are."""


@dataclass(frozen=True)
class StrengthPreset:
    """A choice for an artist: how much a guide counts, and in which share of the denoising."""

    title: str
    strength: float
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True)
class ControlKind:
    """What pictures of a kind mean.

    Attributes:
        name: on the wire.
        title: in a sentence, after "a".
        channels: those that a picture of it may have.
        reading: how it is read and resized.
        words: those in a network's name on disk that tell that it was trained on such pictures, in lower case.
        says: what an artist is told of it.
        presets: three, from the loosest to the strictest.
        is_map: it is a map of the picture that it guides, of its size; if not, a picture of its own, of any size.
        union_number: what SDXL's networks for many kinds at once call it; None where they have none.
    """

    name: str
    title: str
    channels: tuple[int, ...]
    reading: PictureReading
    words: tuple[str, ...]
    says: str = ""
    presets: tuple[StrengthPreset, ...] = ()
    union_number: Optional[int] = None
    is_map: bool = True


def _presets(
    loose: float, balanced: float, strict: float, ends: tuple[float, float, float]
) -> tuple[StrengthPreset, ...]:
    titles = ("Loose", "Balanced", "Strict")
    return tuple(
        StrengthPreset(title, strength, 0.0, end)
        for title, strength, end in zip(titles, (loose, balanced, strict), ends)
    )


# The numbers are those of xinsir's union networks: openpose, depth, soft edges, hard lines, normal, segment, tile.
CONTROL_KINDS: dict[str, ControlKind] = {
    kind.name: kind
    for kind in (
        ControlKind(
            "scribble",
            "scribble",
            (1, 3, 4),
            PictureReading.DRAWN_LINES,
            ("scribble", "sketch", "doodle"),
            "Rough lines of a few pixels: what goes where, without detail.",
            _presets(0.6, 0.8, 1.0, (0.5, 0.75, 1.0)),
            2,
        ),
        ControlKind(
            "line_art",
            "line drawing",
            (1, 3, 4),
            PictureReading.DRAWN_LINES,
            ("lineart", "mistoline", "line"),
            "A finished line drawing, which is coloured in and kept.",
            _presets(0.6, 0.8, 1.0, (0.6, 0.9, 1.0)),
            3,
        ),
        ControlKind(
            "soft_edge",
            "picture of soft edges",
            (1, 3, 4),
            PictureReading.DRAWN_LINES,
            ("softedge", "hed", "pidi", "pidinet", "teed"),
            "Edges, the stronger the whiter: forms are kept, and small detail is left open.",
            _presets(0.5, 0.75, 1.0, (0.6, 0.8, 1.0)),
            2,
        ),
        ControlKind(
            "canny",
            "picture of Canny edges",
            (1, 3, 4),
            PictureReading.DRAWN_LINES,
            ("canny",),
            "Every edge, one pixel wide: forms and detail are kept closely.",
            _presets(0.5, 0.7, 1.0, (0.5, 0.8, 1.0)),
            3,
        ),
        ControlKind(
            "depth",
            "depth map",
            (1, 3, 4),
            PictureReading.DEPTHS,
            ("depth", "midas", "zoe", "leres"),
            "How near things are, white is nearest: space and volumes are kept, and surfaces are left open.",
            _presets(0.5, 0.75, 1.0, (0.6, 0.8, 1.0)),
            1,
        ),
        ControlKind(
            "normal",
            "normal map",
            (3, 4),
            PictureReading.NORMALS,
            ("normal", "normals", "normalbae", "normalmap"),
            "Where surfaces face: blue towards you, red to the left, green up.",
            _presets(0.5, 0.75, 1.0, (0.6, 0.8, 1.0)),
            4,
        ),
        ControlKind(
            "pose",
            "pose",
            (3, 4),
            PictureReading.FIGURES,
            ("openpose", "pose", "dwpose"),
            "People as OpenPose's coloured skeletons: how they stand, and nothing else of them.",
            _presets(0.7, 0.9, 1.0, (0.6, 0.8, 1.0)),
            0,
        ),
        ControlKind(
            "label_map",
            "label map",
            (3, 4),
            PictureReading.LABEL_COLOURS,
            ("seg", "segmentation", "ade"),
            "Flat areas in the colours that ADE20K gives to things: what is where.",
            _presets(0.6, 0.8, 1.0, (0.6, 0.8, 1.0)),
            5,
        ),
        ControlKind(
            "blur",
            "blurred picture",
            (3, 4),
            PictureReading.COLOURS,
            ("tile", "blur"),
            "The picture itself, out of focus: colours and composition are kept, and detail is painted anew.",
            _presets(0.4, 0.7, 1.0, (0.6, 0.8, 1.0)),
            6,
        ),
        ControlKind(
            REFERENCE,
            "reference",
            (3, 4),
            PictureReading.COLOURS,
            (),
            "Another picture, of any size: its subject, its style or its layout is painted.",
            _presets(0.4, 0.7, 1.0, (0.8, 1.0, 1.0)),
            is_map=False,
        ),
    )
}
"""The kinds by name."""


def map_kinds() -> tuple[str, ...]:
    """The kinds that are maps of the picture that they guide."""
    return tuple(kind.name for kind in CONTROL_KINDS.values() if kind.is_map)
