"""Pixels between a document's colours and the wire's, which are sRGB-encoded. Krita's own engine converts them, in a
document that nobody sees. On the user interface's thread: nothing else may call Krita.
"""

from __future__ import annotations

from dataclasses import dataclass

import krita

from .qt import QtCore, QtGui

__all__ = ["ColorSpace", "from_wire", "image_of", "to_wire", "wire_depth"]

_SRGB = "sRGB-elle-V2-srgbtrc.icc"
_RESOLUTION = 72.0


@dataclass(frozen=True)
class ColorSpace:
    """How pixels are kept: Krita's names of model, depth and profile."""

    model: str
    depth: str
    profile: str

    @classmethod
    def of(cls, document: krita.Document) -> ColorSpace:
        return cls(document.colorModel(), document.colorDepth(), document.colorProfile())


_WIRE = {"u8": ColorSpace("RGBA", "U8", _SRGB), "f32": ColorSpace("RGBA", "F32", _SRGB)}


def wire_depth(space: ColorSpace) -> str:
    """The depth on the wire that keeps what the document has: eight bits of ink are finer in places than sRGB's."""
    return "u8" if space.depth == "U8" and space.model in ("RGBA", "GRAYA") else "f32"


def to_wire(data: QtCore.QByteArray, space: ColorSpace, width: int, height: int) -> bytes:
    """Red, green, blue, alpha, at the space's :func:`wire_depth`."""
    depth = wire_depth(space)
    converted = _converted(data, space, _WIRE[depth], width, height)
    return _swapped(converted, width, height) if depth == "u8" else bytes(converted)


def from_wire(data: memoryview, depth: str, space: ColorSpace, width: int, height: int) -> QtCore.QByteArray:
    """The other way round."""
    plain = bytes(data)
    return _converted(_swapped(plain, width, height) if depth == "u8" else plain, _WIRE[depth], space, width, height)


def image_of(data: memoryview, depth: str, width: int, height: int) -> QtGui.QImage:
    """Pixels of the wire as a picture for the screen."""
    shown = bytes(from_wire(data, depth, _WIRE["u8"], width, height))
    return QtGui.QImage(shown, width, height, 4 * width, QtGui.QImage.Format.Format_ARGB32).copy()


def _swapped(data: QtCore.QByteArray | bytes, width: int, height: int) -> bytes:
    """Krita keeps integers as blue, green, red, alpha; deeper values as the wire has them. Both ways are the same."""
    formats = QtGui.QImage.Format
    image = QtGui.QImage(bytes(data), width, height, 4 * width, formats.Format_ARGB32)
    image = image.convertToFormat(formats.Format_RGBA8888)
    bits = image.constBits()
    bits.setsize(4 * width * height)
    return bytes(bits)


def _converted(
    data: QtCore.QByteArray | bytes, source: ColorSpace, target: ColorSpace, width: int, height: int
) -> QtCore.QByteArray:
    if source == target:
        return QtCore.QByteArray(data)
    document = krita.Krita.instance().createDocument(
        width, height, "", source.model, source.depth, source.profile, _RESOLUTION
    )
    try:
        document.setBatchmode(True)
        (layer,) = document.rootNode().childNodes()[:1]
        layer.setPixelData(QtCore.QByteArray(data), 0, 0, width, height)
        document.setColorSpace(target.model, target.depth, target.profile)
        document.waitForDone()
        return layer.pixelData(0, 0, width, height)
    finally:
        document.close()
