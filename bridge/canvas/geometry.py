"""Sizes, rectangles and canvas edges, in whole canvas pixels. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Edges", "Rect", "Size"]


@dataclass(frozen=True)
class Size:
    """Width and height in pixels, each at least 1."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a size needs at least one pixel, not {self.width} x {self.height}")

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), as numpy counts."""
        return self.height, self.width

    @property
    def rect(self) -> Rect:
        """All of it."""
        return Rect(0, 0, self.width, self.height)


@dataclass(frozen=True)
class Rect:
    """A rectangle of pixels: columns x to right - 1, rows y to bottom - 1. Never empty; may lie off the canvas."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a rectangle needs at least one pixel, not {self.width} x {self.height}")

    @property
    def right(self) -> int:
        """The first column beyond."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row beyond."""
        return self.y + self.height

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def size(self) -> Size:
        return Size(self.width, self.height)

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns) of an array whose first pixel is canvas pixel (0, 0)."""
        return slice(self.y, self.bottom), slice(self.x, self.right)

    def intersection(self, other: Rect) -> Rect | None:
        """The pixels in both, or None."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        width, height = min(self.right, other.right) - left, min(self.bottom, other.bottom) - top
        return Rect(left, top, width, height) if width > 0 and height > 0 else None

    def contains(self, other: Rect) -> bool:
        """Whether every pixel of `other` lies in this rectangle."""
        return self.x <= other.x and self.y <= other.y and other.right <= self.right and other.bottom <= self.bottom

    def expanded(self, pixels: int) -> Rect:
        """Moved outward by `pixels` on each side."""
        return Rect(self.x - pixels, self.y - pixels, self.width + 2 * pixels, self.height + 2 * pixels)

    def translated(self, dx: int, dy: int) -> Rect:
        """Moved, the size kept. `rect.translated(-context.x, -context.y)` is local to the context."""
        return Rect(self.x + dx, self.y + dy, self.width, self.height)

    def cut_to(self, size: Size) -> Rect | None:
        """What of it lies on a canvas of that size, or None. Cut, never shifted."""
        return self.intersection(size.rect)


@dataclass(frozen=True)
class Edges:
    """Which sides of a context are edges of the canvas too."""

    left: bool
    top: bool
    right: bool
    bottom: bool

    @classmethod
    def of(cls, context: Rect, canvas: Size) -> Edges:
        """The sides of `context` beyond which the canvas ends."""
        return cls(
            left=context.x <= 0,
            top=context.y <= 0,
            right=context.right >= canvas.width,
            bottom=context.bottom >= canvas.height,
        )
