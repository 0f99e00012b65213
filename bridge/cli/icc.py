"""ICC profiles made of curves and a matrix: read, made, and applied in floating point, both ways, without clamping.

The command line converts with these instead of a colour engine because libvips' engine takes and gives integers only:
float pictures would be cut to 8 bits, and colours outside sRGB clamped. Profiles made of look-up tables are left to
libvips. Specification: ICC.1:2022, sections 9.2 (tags), 10.6 (curveType), 10.18 (parametricCurveType), F.3 (the
matrix model).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SRGB_TO_XYZ",
    "Array",
    "Curve",
    "MatrixProfile",
    "ProfileNotUsable",
    "build_profile",
    "decode_srgb",
    "encode_srgb",
    "mirrored",
    "parse_profile",
]

Array = NDArray[np.float32]

SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
"""Linear sRGB to XYZ of the D50 white that ICC profiles are about (IEC 61966-2-1 primaries, Bradford-adapted)."""

_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


class ProfileNotUsable(Exception):
    """The profile is not made of curves and a matrix, or is broken."""


def decode_srgb(encoded: Array) -> Array:
    """sRGB's transfer curve to linear light, mirrored below 0 and continued above 1 (IEC 61966-2-1, scRGB)."""
    size = np.abs(encoded)
    linear = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(linear, encoded).astype(np.float32)


def encode_srgb(linear: Array) -> Array:
    """The inverse of :func:`decode_srgb`."""
    size = np.abs(linear)
    encoded = np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(encoded, linear).astype(np.float32)


@dataclass(frozen=True)
class Curve:
    """A tone curve: ``decode`` to linear light and ``encode`` back. Both mirror below 0; tables end at 1, with the
    slope of their last piece going on."""

    decode: Callable[[Array], Array]
    encode: Callable[[Array], Array]


@dataclass(frozen=True)
class MatrixProfile:
    """A profile of one grey curve, or of three curves and the 3 x 3 matrix from linear RGB to XYZ (D50)."""

    curves: tuple[Curve, ...]
    matrix: NDArray[np.float64] | None

    @property
    def grey(self) -> bool:
        return self.matrix is None

    @property
    def is_srgb(self) -> bool:
        """Whether it differs from sRGB (grey: from its curve) by less than 8 bits can show."""
        if self.matrix is not None and np.abs(self.matrix - SRGB_TO_XYZ).max() > 0.001:
            return False
        ramp = np.linspace(0, 1, 256, dtype=np.float32)
        wanted = encode_srgb(decode_srgb(ramp))
        return all(np.abs(encode_srgb(curve.decode(ramp)) - wanted).max() < 0.5 / 255 for curve in self.curves)


def parse_profile(data: bytes) -> MatrixProfile:
    """Read a profile.

    Raises:
        ProfileNotUsable: look-up tables only, another colour model than RGB and grey, or damaged.
    """
    try:
        if len(data) < 132 or data[36:40] != b"acsp":
            raise ProfileNotUsable("not an ICC profile")
        count = struct.unpack(">I", data[128:132])[0]
        tags = {}
        for index in range(min(count, 256)):
            name, offset, size = struct.unpack(">4sII", data[132 + 12 * index : 144 + 12 * index])
            tags[name] = data[offset : offset + size]
        if data[16:20] == b"GRAY":
            return MatrixProfile((_curve(tags[b"kTRC"]),), None)
        if data[16:20] != b"RGB ":
            raise ProfileNotUsable("neither RGB nor grey")
        columns = [_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
        matrix = np.array(columns).T
        np.linalg.inv(matrix)
    except (KeyError, struct.error, np.linalg.LinAlgError, ArithmeticError, ValueError) as error:
        raise ProfileNotUsable("made of look-up tables, or damaged") from error
    return MatrixProfile(curves, matrix)


def build_profile(primaries: Sequence[float], curve: Sequence[float], *, grey: bool) -> bytes:
    """A profile (version 4.3) of primaries and one curve for all of them.

    Args:
        primaries: x and y of red, green, blue and white.
        curve: a gamma, or g, a, b, c, d of a parametric curve's third kind.
        grey: of the curve alone.

    Raises:
        numpy.linalg.LinAlgError: the primaries are no triangle.
    """
    kind = 0 if len(curve) == 1 else 3
    tags: dict[bytes, bytes] = {
        b"desc": _words("Made from the picture's own chunks"),
        b"cprt": _words("CC0"),
        b"wtpt": _as_xyz(_D50),
    }
    trc = b"para" + struct.pack(">IHH", 0, kind, 0) + _fixed(curve)
    if grey:
        tags[b"kTRC"] = trc
    else:
        adaptation, columns = _to_d50(primaries)
        tags[b"chad"] = b"sf32" + bytes(4) + _fixed(adaptation.reshape(-1))
        tags |= {name: _as_xyz(columns[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), trc)
    table, values = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(values), len(value))
        values += value + bytes(-len(value) % 4)
    space = b"GRAY" if grey else b"RGB "
    head = struct.pack(">I4sI", 128 + len(table) + len(values), b"", 0x04300000) + b"mntr" + space + b"XYZ "
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(_D50)
    return head.ljust(128, b"\0") + table + values


def _to_d50(primaries: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrix that adapts from the primaries' white (Bradford; ICC.1:2022, annex E), and that from RGB to XYZ."""
    corners = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in zip(primaries[::2], primaries[1::2], strict=True)])
    white = corners[3]
    cones = _BRADFORD @ white
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ np.array(_D50)) / cones) @ _BRADFORD
    rgb = corners[:3].T
    return adaptation, adaptation @ (rgb * np.linalg.solve(rgb, white))


def _words(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(encoded), 28) + encoded


def _as_xyz(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _fixed(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def _xyz(tag: bytes) -> list[float]:
    return [value / 65536 for value in struct.unpack(">3i", tag[8:20])]


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"curv":
        count = struct.unpack(">I", tag[8:12])[0]
        if count == 0:
            return _gamma(1.0)
        if count == 1:
            return _gamma(struct.unpack(">H", tag[12:14])[0] / 256)
        return _table(np.frombuffer(tag, ">u2", count, 12).astype(np.float64) / 65535)
    if tag[:4] == b"para":
        kind = struct.unpack(">H", tag[8:10])[0]
        lengths = (1, 3, 4, 5, 7)
        if kind < len(lengths):
            values = [value / 65536 for value in struct.unpack(f">{lengths[kind]}i", tag[12 : 12 + 4 * lengths[kind]])]
            return _parametric(kind, values)
    raise ProfileNotUsable("an unknown kind of curve")


def _gamma(gamma: float) -> Curve:
    if gamma <= 0:
        raise ProfileNotUsable("a curve without slope")
    if gamma == 1.0:
        return Curve(lambda x: x, lambda x: x)
    return Curve(
        mirrored(lambda x: x**gamma),
        mirrored(lambda x: x ** (1 / gamma)),
    )


def _table(values: NDArray[np.float64]) -> Curve:
    places = np.linspace(0, 1, len(values))
    # The first of equal values is the one that the inverse goes back to.
    rising = np.concatenate([[True], np.diff(np.maximum.accumulate(values)) > 0])
    if rising.sum() < 2:
        raise ProfileNotUsable("a curve without slope")
    inputs, outputs = places[rising], values[rising]

    def continued(x: NDArray[np.float64], xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.float64]:
        slope = (ys[-1] - ys[-2]) / (xs[-1] - xs[-2])
        beyond: NDArray[np.float64] = np.where(x > xs[-1], ys[-1] + (x - xs[-1]) * slope, np.interp(x, xs, ys))
        return beyond

    return Curve(mirrored(lambda x: continued(x, places, values)), mirrored(lambda x: continued(x, outputs, inputs)))


def _parametric(kind: int, values: list[float]) -> Curve:
    """The five functions of the specification's table 68, brought to the last one's form: (a x + b)^g + e at and above
    d, c x + f below it."""
    g, a, b, c, d, e, f = values[0], 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind in (1, 2):
        a, b = values[1:3]
        e = f = values[3] if kind == 2 else 0.0
        d = -b / a if a else 0.0
    elif kind in (3, 4):
        a, b, c, d = values[1:5]
        e, f = values[5:7] if kind == 4 else (0.0, 0.0)
    if g <= 0 or a <= 0:
        raise ProfileNotUsable("a curve without slope")
    corner = max(a * d + b, 0.0) ** g + e

    def decode(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)

    def encode(y: NDArray[np.float64]) -> NDArray[np.float64]:
        upper = (np.maximum(y - e, 0) ** (1 / g) - b) / a
        return np.where(y >= corner, upper, (y - f) / c if c else d)

    return Curve(mirrored(decode), mirrored(encode))


def mirrored(function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Callable[[Array], Array]:
    def both(x: Array) -> Array:
        return np.copysign(function(np.abs(x).astype(np.float64)), x).astype(np.float32)

    return both
