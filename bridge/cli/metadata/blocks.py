"""What is found in a picture file beside its pixels, and what is to be written into another."""

from __future__ import annotations

from dataclasses import dataclass, field

from .exif import Exif
from .ifd import Directory, Tree
from .parts import Part

__all__ = ["Blocks", "Chunk", "Found"]

Chunk = tuple[bytes, bytes]
"""A PNG chunk: its type and its data."""

Resolution = tuple[float, float]
"""Pixels per millimetre, across and down."""


@dataclass(frozen=True)
class Found:
    """What a file carries, as it is; but for ``left``, which was only seen.

    ``iptc`` is IPTC's datasets. ``colour`` and ``texts`` are PNG chunks; ``tiff_colour`` and ``geography`` are tags of
    TIFF's. ``frames`` is 1 where the format, or its reader, has no more.
    """

    exif: Exif | None = None
    xmp: bytes = b""
    iptc: bytes = b""
    comments: tuple[bytes, ...] = ()
    texts: tuple[Chunk, ...] = ()
    colour: tuple[Chunk, ...] = ()
    tiff_colour: Directory = field(default_factory=dict)
    geography: Directory = field(default_factory=dict)
    resolution: Resolution | None = None
    changed: bool = False
    frames: int = 1
    left: frozenset[Part] = frozenset()


@dataclass(frozen=True)
class Blocks:
    """What is to be written, clean and fit for the format. ``changed``: whether to say when."""

    exif: Tree = field(default_factory=lambda: Tree({}))
    xmp: bytes = b""
    iptc: bytes = b""
    comments: tuple[bytes, ...] = ()
    texts: tuple[Chunk, ...] = ()
    colour: tuple[Chunk, ...] = ()
    tags: Directory = field(default_factory=dict)
    resolution: Resolution | None = None
    changed: bool = False
