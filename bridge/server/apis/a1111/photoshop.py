"""What Photoshop's plug-in (Auto-Photoshop-StableDiffusion) asks of the extension that belongs to it. Without an answer
it leaves its mask out, and all of the selection is repainted.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from ....imaging.header import read_header
from ....imaging.orders import Expand
from ....imaging.process import Imaging
from ....protocol.errors import BridgeError
from ..bodies import decode_base64
from ..fields import Fields
from .controlnet import control_types

__all__ = ["LISTS", "PREFIX", "expand_mask", "filter_controlnets"]

PREFIX = "/sdapi/auto-photoshop-sd"

LISTS: dict[str, Any] = {f"{PREFIX}/heartbeat": {"heartbeat": True}, f"{PREFIX}/vae/list": ["Automatic"]}
"""What its endpoints answer, whatever there is."""

_MOST = 1024


async def expand_mask(imaging: Imaging, body: dict[str, Any], most_pixels: int) -> tuple[dict[str, Any], Any]:
    """The answer to `mask/expansion`, and the names of fields without effect.

    Raises:
        FieldsRefused
        BridgeError: ``missing_field``; those of the picture.
    """
    fields = Fields(body)
    mask = fields.text("mask", most=1 << 40)
    pixels = fields.integer("mask_expansion", 0, 0, _MOST)
    blur = fields.number("blur", 0.0, 0.0, float(_MOST))
    fields.check()
    if not mask:
        raise BridgeError("missing_field", "Image not found", "Send the mask in mask, as Base64.")
    picture = read_header(decode_base64(mask), most_pixels=most_pixels)
    file = await imaging.expand(Expand(picture, pixels, blur))
    return {"mask": base64.b64encode(file).decode()}, fields.ignored()


def filter_controlnets(body: dict[str, Any], kinds: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The answer to `controlnet/filter`. Raises FieldsRefused."""
    fields = Fields(body)
    keyword = fields.text("keyword", "All")
    fields.check()
    types = control_types(kinds)["control_types"]
    return {"keywords": list(types), **types.get(keyword, types["All"])}
