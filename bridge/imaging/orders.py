"""What the child process is asked, and what it answers. Plain values, for both processes."""

from __future__ import annotations

from dataclasses import dataclass

from ..protocol.messages import Extent, Picture, Rect

__all__ = [
    "BaseImage",
    "Encoded",
    "Enlarge",
    "Expand",
    "Finish",
    "Guide",
    "Guided",
    "Painted",
    "Selecting",
    "Stage",
    "Staged",
    "Thumbnail",
]


@dataclass(frozen=True)
class Encoded:
    """A picture as it came: ``kind`` is as in :func:`.read_size`, and its header was read and found acceptable.
    Its size is that of the data, before a camera's turn.
    """

    data: bytes
    kind: str
    width: int
    height: int


@dataclass(frozen=True)
class BaseImage:
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

    base: BaseImage
    selecting: Selecting | None = None


@dataclass(frozen=True)
class Staged:
    """A job's geometry, and its pictures with their bytes. ``selection`` None: everything is. ``hints`` are for whoever
    sent them.
    """

    canvas: Extent
    context: Rect
    picture: Picture
    pixels: bytes
    selection: Picture | None
    coverage: bytes
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Guide:
    """Lay out a picture that guides a job: brought to the canvas by ``fit``, as in :class:`BaseImage`, and cut to the
    context. ``flat``: its colours mean something each, and must not mix.
    """

    picture: Encoded
    canvas: Extent
    context: Rect
    fit: str = "stretch"
    flat: bool = False


@dataclass(frozen=True)
class Guided:
    """A guiding picture, RGB or RGBA, with its bytes; ``hints`` as in :class:`Staged`."""

    picture: Picture
    pixels: bytes
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Painted:
    """A layer: RGBA, u8, raw, at its place on the canvas; and text that goes into its file, by keyword. ``ink``: it is
    told by its alpha alone, white on black.
    """

    x: int
    y: int
    width: int
    height: int
    pixels: bytes
    texts: tuple[tuple[str, str], ...] = ()
    ink: bool = False


@dataclass(frozen=True)
class Finish:
    """Lay each layer over the base, or over nothing, and make a file of each; the answer is a tuple of bytes.

    ``kind`` is ``png``, ``jpeg`` or ``webp``; texts go into PNGs only. ``size`` and ``fit`` are of the files, as in
    :class:`BaseImage`.
    """

    base: BaseImage | None
    layers: tuple[Painted, ...]
    kind: str = "png"
    size: Extent | None = None
    fit: str = "stretch"


@dataclass(frozen=True)
class Thumbnail:
    """Make a file of RGB pixels; the answer is its bytes. ``size`` is the file's, None: as the pixels are; ``kind`` as
    in :class:`Finish`.
    """

    width: int
    height: int
    pixels: bytes
    size: Extent | None = None
    kind: str = "png"


@dataclass(frozen=True)
class Enlarge:
    """Bring a picture to another size by a filter alone; the answer is a PNG's bytes.

    ``size`` counts where it is given, and ``factor`` otherwise; ``fit`` is as in :class:`BaseImage`. ``kernel`` is
    ``lanczos3`` or ``nearest``. More than ``most_pixels`` are not made.
    """

    picture: Encoded
    kernel: str
    most_pixels: int
    factor: float = 1.0
    size: Extent | None = None
    fit: str = "stretch"


@dataclass(frozen=True)
class Expand:
    """Widen what is bright in a mask by so many pixels to all sides, then blur it (``blur`` is the Gaussian's standard
    deviation in pixels), all but its outermost pixels; the answer is a PNG's bytes.
    """

    mask: Encoded
    pixels: int
    blur: float
