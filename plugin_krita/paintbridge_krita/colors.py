"""Color spaces: a document's, and the wire's."""

from __future__ import annotations

from dataclasses import dataclass

import krita

__all__ = ["ColorSpace", "wire_depth", "wire_space"]

# Profiles with the wire's values: sRGB, with its tone curve.
_SRGB_PROFILES = ("sRGB-elle-V2-srgbtrc.icc", "sRGB-elle-V4-srgbtrc.icc", "sRGB built-in", "sRGB IEC61966-2.1")
# Its tone curve is parametric and defined beyond 0..1; a table would clip colors outside sRGB.
_UNBOUNDED = "sRGB built-in"
# CMYK profiles are tables, most of them ICC v2; with the former, an ICC v4 profile, black would change.
_FOR_CMYK = "sRGB-elle-V2-srgbtrc.icc"
_DEPTHS = {"U8": "u8", "U16": "u16", "F16": "f16", "F32": "f32"}


@dataclass(frozen=True)
class ColorSpace:
    """How pixels are kept: Krita's names of model, depth and profile."""

    model: str
    depth: str
    profile: str

    @classmethod
    def of(cls, owner: krita.Document | krita.Node) -> ColorSpace:
        """That of a document, or of a layer, which may have its own."""
        return cls(owner.colorModel(), owner.colorDepth(), owner.colorProfile())

    def is_plain(self, depth: str) -> bool:
        """Whether its numbers are the wire's, in this depth of the wire's."""
        return self.model == "RGBA" and self.profile in _SRGB_PROFILES and _DEPTHS[self.depth] == depth


def wire_depth(space: ColorSpace) -> str:
    """The depth on the wire that keeps what there is. Integers end at 0 and 1, and other colours go beyond."""
    own = _DEPTHS[space.depth]
    if space.is_plain(own):
        return own
    return "f16" if own == "u8" else "f32"


def wire_space(depth: str, partner: ColorSpace) -> ColorSpace:
    """The wire's colours of a depth, as Krita names them, to convert from a partner or into it."""
    (own,) = (name for name, wire in _DEPTHS.items() if wire == depth)
    return ColorSpace("RGBA", own, _FOR_CMYK if partner.model == "CMYKA" else _UNBOUNDED)
