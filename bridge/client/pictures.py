"""Pictures as scripts hold them, Pillow's or NumPy's, as bytes for the wire. Neither is imported.

NumPy's arrays, and whatever else has a buffer with a shape, are read through it; Pillow's are told by their ``mode``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Union

from ..protocol.errors import BridgeError
from ..protocol.messages import Extent, Rect
from ..protocol.pixels import DEPTH_BYTES
from .job import Pixels

__all__ = ["Plane", "read_mask", "read_picture"]

_DEPTHS = {"B": "u8", "H": "u16", "e": "f16", "f": "f32"}
_WHITE = bytes([0, *[255] * 255])

# By depth, what a selected number's highest byte can be: from that of `LEAST_COVERAGE` up; a float's is 128 or more
# where it is negative. All else becomes 0.
_SELECTED = {
    depth: bytes(byte if least <= byte <= most else 0 for byte in range(256))
    for depth, least, most in (("u8", 2, 255), ("u16", 2, 255), ("f16", 0x20, 0x7F), ("f32", 0x3C, 0x7F))
}


@dataclass(frozen=True)
class Plane:
    """A whole picture or mask: its pixels as one row of bytes, as :class:`~.job.Pixels` describes them."""

    data: memoryview
    width: int
    height: int
    channels: int
    depth: str

    def cut(self, rect: Rect) -> Pixels:
        """The pixels of a rectangle inside."""
        size = self.channels * DEPTH_BYTES[self.depth]
        row = self.width * size
        start, stop = rect.x * size, (rect.x + rect.width) * size
        rows = range(rect.y * row, (rect.y + rect.height) * row, row)
        part = b"".join(self.data[at + start : at + stop] for at in rows)
        return Pixels(part, rect.width, rect.height, self.channels, self.depth)

    def bounds(self) -> Optional[Rect]:
        """Where a mask selects anything, by ``LEAST_COVERAGE``; None: nowhere."""
        size = DEPTH_BYTES[self.depth]
        row = self.width * size
        # The least is a power of two, so a number's highest byte, its last, tells.
        highest = size - 1
        table = _SELECTED[self.depth]
        left, right, filled = self.width, 0, []
        for y in range(self.height):
            line = bytes(self.data[y * row + highest : (y + 1) * row : size]).translate(table)
            rest = line.lstrip(b"\0")
            if rest:
                filled.append(y)
                left = min(left, len(line) - len(rest))
                right = max(right, len(line.rstrip(b"\0")))
        if not filled:
            return None
        return Rect(left, filled[0], right - left, filled[-1] + 1 - filled[0])

    def why_empty(self) -> tuple[str, str]:
        """A message and a hint for a mask that selects nothing; empty where the error's own words will do."""
        if not any(self.data):
            return "", ""
        return (
            "The mask selects nothing: its greatest number is below 1/128 of the full range.",
            "If its numbers are 0 and 1, give it as bool, or multiply it by 255; 16 bits go up to 65535.",
        )


def read_picture(image: Any) -> Plane:
    """A picture with three or four channels; grey becomes three equal ones.

    Raises:
        TypeError: what is neither Pillow's nor an array of (height, width, channels), or has another type of numbers.
    """
    if _is_pillow(image):
        wanted = "RGBA" if _has_transparency(image) else "RGB"
        return _pillow(image, wanted, channels=len(wanted))
    plane = _array(image, channels=(1, 3, 4))
    return _grey_to_rgb(plane) if plane.channels == 1 else plane


def read_mask(mask: Any, picture: Union[Plane, Extent]) -> Plane:
    """A mask of a picture's size: white, or True, is selected.

    Raises:
        TypeError: as :func:`read_picture`; a mask has one channel.
        BridgeError: ``picture_mismatch``: it has another size than the picture.
    """
    plane = _pillow(mask, "L", channels=1) if _is_pillow(mask) else _array(mask, channels=(1,))
    if (plane.width, plane.height) != (picture.width, picture.height):
        raise BridgeError(
            "picture_mismatch",
            "The mask has {width} x {height} pixels, the picture {picture_width} x {picture_height}.",
            "Give a mask of the picture's size.",
            width=plane.width,
            height=plane.height,
            picture_width=picture.width,
            picture_height=picture.height,
        )
    return plane


def _is_pillow(image: Any) -> bool:
    return all(hasattr(image, name) for name in ("mode", "size", "convert", "tobytes"))


def _has_transparency(image: Any) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _pillow(image: Any, mode: str, *, channels: int) -> Plane:
    if image.mode.startswith(("I", "F")):
        # Pillow would cut their values off at 255 without a word.
        raise TypeError(f"Pillow's mode {image.mode} is not read: give a NumPy array of uint16 or float32.")
    width, height = image.size
    converted = image if image.mode == mode else image.convert(mode)
    return Plane(memoryview(converted.tobytes()), width, height, channels, "u8")


def _array(array: Any, *, channels: tuple[int, ...]) -> Plane:
    try:
        view = memoryview(array)
    except TypeError:
        raise TypeError(f"A picture is wanted, Pillow's or NumPy's, not {type(array).__name__}.") from None
    shape = view.shape or ()
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3 or shape[2] not in channels or 0 in shape:
        wanted = "(height, width)" if channels == (1,) else "(height, width, 3 or 4), or (height, width)"
        raise TypeError(f"An array of {wanted} is wanted, not {view.shape}.")
    height, width, count = shape
    kind = view.format.lstrip("@=<")
    if kind == "?":
        return Plane(memoryview(view.tobytes().translate(_WHITE)), width, height, count, "u8")
    if kind not in _DEPTHS:
        raise TypeError(
            f"Numbers of type {view.format!r} are not read: give uint8, uint16, float16, float32, or bool for a mask."
        )
    return Plane(memoryview(view.tobytes()), width, height, count, _DEPTHS[kind])


def _grey_to_rgb(plane: Plane) -> Plane:
    size = DEPTH_BYTES[plane.depth]
    tripled = bytearray(3 * len(plane.data))
    for byte in range(size):
        part = plane.data[byte::size]
        for channel in range(3):
            tripled[channel * size + byte :: 3 * size] = part
    return Plane(memoryview(tripled), plane.width, plane.height, 3, plane.depth)
