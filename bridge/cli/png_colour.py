"""How a PNG without a colour profile says what its numbers mean: cICP, sRGB, gAMA and cHRM, in this order.

PNG (W3C, third edition), 4.3 and 11.3.2; the numbers of cICP are ITU-T H.273's. Numbers that a profile can hold become
one, so that other formats can say the same; PQ and HLG (ITU-R BT.2100-2) do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .exits import CliError
from .icc import Curve, MatrixProfile, ProfileNotUsable, build_profile, mirrored, parse_profile

__all__ = ["PngColour", "png_colour"]

# x and y of red, green, blue and white (H.273, table 2).
Primaries = tuple[float, float, float, float, float, float, float, float]
_D65 = (0.3127, 0.3290)
_BT709: Primaries = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65)
_PRIMARIES: dict[int, Primaries] = {
    1: _BT709,
    2: _BT709,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}
# As an ICC profile's parametric curves (H.273, table 3): (a x + b)^g at and above d, c x below.
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_BT709_CURVE = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_CURVES: dict[int, tuple[float, ...]] = {
    **dict.fromkeys((1, 6, 14, 15), _BT709_CURVE),
    **{2: _SRGB_CURVE, 13: _SRGB_CURVE, 4: (2.2,), 5: (2.8,), 8: (1.0,)},
}
_PQ, _HLG = 16, 18
_SRGB_GAMMA = 45455
"""What writers put into gAMA for sRGB, though sRGB's curve is no power."""

_WHITE_NITS = 203.0
"""The luminance of a page's white in HDR (ITU-R BT.2408), which is 1 here."""


@dataclass(frozen=True)
class PngColour:
    """``icc``: a profile that says the same, None for sRGB. ``hdr``: what no profile says."""

    icc: bytes | None = None
    hdr: MatrixProfile | None = None


def png_colour(chunks: Sequence[tuple[bytes, bytes]], embedded: bytes | None, bands: int) -> PngColour:
    """How the numbers of a PNG with these chunks, this profile and so many colour bands are meant.

    Raises:
        CliError: they are coded in a way that cannot be undone here.
    """
    said = dict(chunks)
    if len(said.get(b"cICP", b"")) == 4:
        return _by_code_points(*said[b"cICP"], bands=bands)
    if embedded is not None or b"sRGB" in said:
        return PngColour(embedded)
    gamma = int.from_bytes(said.get(b"gAMA", b""), "big")
    if len(said.get(b"gAMA", b"")) != 4 or not 1_000 <= gamma <= 1_000_000:
        return PngColour()
    curve = _SRGB_CURVE if gamma == _SRGB_GAMMA else (100_000 / gamma,)
    return _as_profile(_chromaticities(said.get(b"cHRM", b"")) or _BT709, curve, bands)


def _by_code_points(primaries: int, transfer: int, matrix: int, full: int, *, bands: int) -> PngColour:
    if matrix != 0 or full != 1 or primaries not in _PRIMARIES or transfer not in (*_CURVES, _PQ, _HLG):
        raise CliError(
            f"The PNG's colours cannot be read: they are coded as cICP {primaries}, {transfer}, {matrix}, {full}.",
            "Convert it to sRGB, or to another RGB of full range, and try again.",
        )
    if transfer not in (_PQ, _HLG):
        return _as_profile(_PRIMARIES[primaries], _CURVES[transfer], bands)
    curve = Curve(mirrored(_pq_decode), mirrored(_pq_encode))
    if transfer == _HLG:
        curve = Curve(mirrored(_hlg_decode), mirrored(_hlg_encode))
    colours = parse_profile(build_profile(_PRIMARIES[primaries], (1.0,), grey=bands == 1))
    return PngColour(hdr=MatrixProfile((curve,) * bands, colours.matrix))


def _as_profile(primaries: Primaries, curve: tuple[float, ...], bands: int) -> PngColour:
    try:
        icc = build_profile(primaries, curve, grey=bands == 1)
        return PngColour(None if parse_profile(icc).is_srgb else icc)
    except (ProfileNotUsable, np.linalg.LinAlgError):
        # Primaries that are no triangle: as if nothing were said.
        return PngColour()


def _chromaticities(body: bytes) -> Primaries | None:
    if len(body) != 32:
        return None
    white_x, white_y, *rest = (int.from_bytes(body[start : start + 4], "big") / 100_000 for start in range(0, 32, 4))
    values: Primaries = (*rest, white_x, white_y)  # type: ignore[assignment]
    return values if all(y > 0 for y in values[1::2]) else None


# ---------------------------------------------------------------- HDR, in units of a page's white

_PQ_M1, _PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
_PQ_C1, _PQ_C2, _PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_PQ_NITS = 10_000.0
_HLG_A = 0.17883277
_HLG_B, _HLG_C = 1 - 4 * _HLG_A, 0.5 - _HLG_A * float(np.log(4 * _HLG_A))
_HLG_WHITE = (float(np.exp((0.75 - _HLG_C) / _HLG_A)) + _HLG_B) / 12
"""Scene light at 75 % of the signal, where BT.2408 has a page's white."""

_Floats = NDArray[np.float64]


def _pq_decode(signal: _Floats) -> _Floats:
    root = np.minimum(signal, 1) ** (1 / _PQ_M2)
    light: _Floats = (np.maximum(root - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * root)) ** (1 / _PQ_M1)
    return light * (_PQ_NITS / _WHITE_NITS)


def _pq_encode(light: _Floats) -> _Floats:
    power = (light * (_WHITE_NITS / _PQ_NITS)) ** _PQ_M1
    signal: _Floats = ((_PQ_C1 + _PQ_C2 * power) / (1 + _PQ_C3 * power)) ** _PQ_M2
    return signal


def _hlg_decode(signal: _Floats) -> _Floats:
    low, high = signal**2 / 3, (np.exp((np.minimum(signal, 2) - _HLG_C) / _HLG_A) + _HLG_B) / 12
    light: _Floats = np.where(signal <= 0.5, low, high)
    return light / _HLG_WHITE


def _hlg_encode(light: _Floats) -> _Floats:
    scene = light * _HLG_WHITE
    signal: _Floats = np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), _HLG_A * np.log(np.maximum(12 * scene - _HLG_B, 1e-9)) + _HLG_C
    )
    return signal
