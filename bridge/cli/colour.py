"""A picture's own colours, and the sRGB-encoded colour that crosses the wire.

Values are floats on a scale of 0..1 of the picture's depth, unclamped. What is sRGB already, in integers, is handed on
as it is and never comes here on its way out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from .exits import CliError
from .icc import SRGB_TO_XYZ, Curve, MatrixProfile, ProfileNotUsable, decode_srgb, encode_srgb, parse_profile

__all__ = ["ColourSpace", "colour_space"]

Array = NDArray[np.float32]

_SRGB_CURVE = Curve(decode_srgb, encode_srgb)
_LINEAR_CURVE = Curve(lambda x: x, lambda x: x)


@dataclass(frozen=True)
class ColourSpace:
    """``to_srgb`` takes (h, w, 1 or 3) and gives (h, w, 3); ``from_srgb`` is its inverse, grey being luminance.

    ``is_srgb``: the values are sRGB's own. ``clamps``: colours outside sRGB are cut off.
    """

    to_srgb: Callable[[Array], Array]
    from_srgb: Callable[[Array], Array]
    is_srgb: bool
    clamps: bool = False


def colour_space(icc: bytes | None, *, bands: int, depth: str, hdr: MatrixProfile | None = None) -> ColourSpace:
    """The colour space of a picture with this profile (None: none), colour bands (1, 3) and depth; ``hdr`` is what no
    profile says, and goes before it.

    Without a profile integers are sRGB (grey ones with its curve), and floats are linear light of sRGB's primaries, as
    in libvips, OpenEXR and scRGB.

    Raises:
        CliError: a profile of look-up tables on a float picture, or of another colour model than the picture's.
    """
    if hdr is not None:
        return _by_matrix(hdr)
    if icc is None:
        curve = _LINEAR_CURVE if depth == "f32" else _SRGB_CURVE
        return _by_matrix(MatrixProfile((curve,) * bands, SRGB_TO_XYZ if bands == 3 else None))
    try:
        profile = parse_profile(icc)
    except ProfileNotUsable as error:
        if depth == "f32":
            raise CliError(
                f"The colour profile of this float picture is {error}, which can only be applied to integers.",
                "Convert the picture to linear sRGB, or save it with 16 bits.",
            ) from error
        return _by_tables(icc, bands)
    if profile.grey != (bands == 1):
        raise CliError(
            "The picture and its colour profile contradict each other: one is grey, the other RGB.",
            "Open the picture in an editor, assign the right profile, and save it again.",
        )
    return _by_matrix(profile)


def _by_matrix(profile: MatrixProfile) -> ColourSpace:
    if profile.matrix is None:
        curve = profile.curves[0]
        luminance = SRGB_TO_XYZ[1].astype(np.float32)

        def grey_to_srgb(grey: Array) -> Array:
            return np.repeat(encode_srgb(curve.decode(grey)), 3, axis=2)

        def grey_from_srgb(rgb: Array) -> Array:
            return curve.encode((decode_srgb(rgb) @ luminance)[:, :, None])

        return ColourSpace(grey_to_srgb, grey_from_srgb, profile.is_srgb)

    if profile.is_srgb:
        return ColourSpace(lambda rgb: rgb, lambda rgb: rgb, True)
    forth = np.linalg.solve(SRGB_TO_XYZ, profile.matrix).astype(np.float32)
    back = np.linalg.solve(profile.matrix, SRGB_TO_XYZ).astype(np.float32)

    def to_srgb(rgb: Array) -> Array:
        linear = np.stack([curve.decode(rgb[:, :, i]) for i, curve in enumerate(profile.curves)], axis=2)
        return encode_srgb(linear @ forth.T)

    def from_srgb(rgb: Array) -> Array:
        linear = decode_srgb(rgb) @ back.T
        return np.stack([curve.encode(linear[:, :, i]) for i, curve in enumerate(profile.curves)], axis=2)

    return ColourSpace(to_srgb, from_srgb, False)


def _by_tables(icc: bytes, bands: int) -> ColourSpace:
    """libvips' colour engine (Little CMS), relative colorimetric, clamped to what sRGB can show."""
    native = "rgb16" if bands == 3 else "grey16"

    def transform(picture: Array, source: str, target: str, interpretation: str) -> Array:
        sixteen = np.round(np.clip(picture, 0, 1) * 65535).astype(np.uint16)
        image = pyvips.Image.new_from_array(sixteen).copy(interpretation=interpretation)
        try:
            done: NDArray[np.uint16] = image.icc_transform(
                target, input_profile=source, intent="relative", depth=16
            ).numpy()
        except pyvips.Error as error:
            raise CliError(
                "The picture's colour profile cannot be applied.", "Convert the picture to sRGB, and try again."
            ) from error
        return done.reshape(*done.shape[:2], -1).astype(np.float32) / np.float32(65535)

    def with_profile(picture: Array, to: bool) -> Array:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "profile.icc"
            path.write_bytes(icc)
            if to:
                return transform(picture, str(path), "srgb", native)
            return transform(picture, "srgb", str(path), "rgb16")

    return ColourSpace(lambda rgb: with_profile(rgb, True), lambda rgb: with_profile(rgb, False), False, clamps=True)
