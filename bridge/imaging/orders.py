"""What the child process is asked, and what it answers. Plain values, for both processes."""

from __future__ import annotations

from dataclasses import dataclass

from ..protocol.messages import Extent, Picture, Rect

__all__ = ["Encoded", "Finish", "Ground", "Guide", "Guided", "Painted", "Selecting", "Stage", "Staged", "Thumbnail"]


@dataclass(frozen=True)
class Encoded:
    """A picture as it came: ``kind`` is ``png``, ``jpeg`` or ``webp``, and its header was read and found acceptable."""

    data: bytes
    kind: str
    width: int
    height: int


@dataclass(frozen=True)
class Ground:
    """The picture to paint on, and how it becomes the canvas.

    ``size`` None: as it is. ``fit`` says how it gets to another size: ``stretch``, ``crop`` (scaled to cover, the rest
    cut off) or ``pad`` (scaled to fit, its edges drawn out). Transparent areas are laid on white.
    """

    picture: Encoded
    size: Extent | None = None
    fit: str = "stretch"


@dataclass(frozen=True)
class Selecting:
    """What of the picture is selected.

    ``mask`` is scaled to the picture when it has another size. ``by`` is ``luminance`` (or alpha, where that varies:
    white, or opaque, is selected) or ``transparency`` (what is transparent is selected; ``mask`` may be the picture
    itself). ``close``: the context is what is selected, ``room`` pixels around it, in the proportions of ``shape``;
    otherwise it is the whole canvas.
    """

    mask: Encoded
    by: str
    invert: bool = False
    close: bool = False
    room: int = 0
    shape: Extent | None = None


@dataclass(frozen=True)
class Stage:
    """Lay out a job."""

    ground: Ground
    selecting: Selecting | None = None


@dataclass(frozen=True)
class Staged:
    """A job's geometry, and its pictures with their bytes. ``selection`` None: everything is."""

    canvas: Extent
    context: Rect
    picture: Picture
    pixels: bytes
    selection: Picture | None
    coverage: bytes


@dataclass(frozen=True)
class Guide:
    """Lay out a picture that guides a job: brought to the canvas by ``fit``, as in :class:`Ground`, and cut to the
    context. ``flat``: its colours mean something each, and must not mix.
    """

    picture: Encoded
    canvas: Extent
    context: Rect
    fit: str = "stretch"
    flat: bool = False


@dataclass(frozen=True)
class Guided:
    """A guiding picture, RGB or RGBA, with its bytes."""

    picture: Picture
    pixels: bytes


@dataclass(frozen=True)
class Painted:
    """A layer: RGBA, u8, raw, at its place on the canvas; and text that goes into its file, by keyword."""

    x: int
    y: int
    width: int
    height: int
    pixels: bytes
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Finish:
    """Lay each layer over the ground, or over nothing, and make a file of each; the answer is a tuple of bytes.

    ``kind`` is ``png``, ``jpeg`` or ``webp``; texts go into PNGs only. ``size`` and ``fit`` are of the files, as in
    :class:`Ground`.
    """

    ground: Ground | None
    layers: tuple[Painted, ...]
    kind: str = "png"
    size: Extent | None = None
    fit: str = "stretch"


@dataclass(frozen=True)
class Thumbnail:
    """Make a PNG of RGB pixels; the answer is its bytes."""

    width: int
    height: int
    pixels: bytes
