"""`extra-single-image`: a picture enlarged, by the bridge's own upscale."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from ....imaging.orders import Encoded, Ground
from ....protocol.errors import BridgeError
from ....protocol.messages import SCALES, Extent
from ..bodies import decode_base64
from ..fields import Fields
from ..painting import Easel
from ..visitor import JobStopped
from .runs import Run

__all__ = ["UPSCALERS", "ExtraOrder", "read_extra", "upscale"]

_NONE, _OURS = "None", "Paintbridge"
UPSCALERS: list[dict[str, Any]] = [
    {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": max(SCALES)}
    for name in (_NONE, _OURS)
]
"""The answer to `upscalers`."""

_MOST_SIDE = 1 << 16
_WITHOUT_EFFECT: dict[str, Any] = {
    "codeformer_visibility": 0,
    "codeformer_weight": 0,
    "extras_upscaler_2_visibility": 0,
    "gfpgan_visibility": 0,
    "upscaler_2": _NONE,
}
# How the others are shown, or in which order they are done.
_MEANINGLESS = ("show_extras_results", "upscale_first")


@dataclass(frozen=True)
class ExtraOrder:
    """One request. ``size`` counts where it is given, ``factor`` otherwise."""

    picture: bytes = field(repr=False)
    upscaler: str
    factor: float
    size: Extent | None
    crop: bool
    ignored: tuple[str, ...]


def read_extra(body: dict[str, Any]) -> ExtraOrder:
    """Read a request.

    Raises:
        FieldsRefused
        BridgeError: ``picture_unreadable``, ``missing_field``.
    """
    fields = Fields(body)
    upscaler = fields.choice("upscaler_1", _NONE, (_NONE, _OURS))
    by_size = fields.integer("resize_mode", 0, 0, 1) == 1
    factor = fields.number("upscaling_resize", 2.0, 1.0, float(max(SCALES)))
    size = Extent(
        fields.integer("upscaling_resize_w", 512, 1, _MOST_SIDE),
        fields.integer("upscaling_resize_h", 512, 1, _MOST_SIDE),
    )
    crop = fields.flag("upscaling_crop", True)
    picture = fields.text("image", most=1 << 40)
    for name in _MEANINGLESS:
        fields.raw(name)
    fields.without_effect(**_WITHOUT_EFFECT)
    fields.check()
    if not picture:
        raise BridgeError("missing_field", "Image not found", "Send the picture in image, as Base64.")
    return ExtraOrder(decode_base64(picture), upscaler, factor, size if by_size else None, crop, fields.ignored())


async def upscale(easel: Easel, order: ExtraOrder, run: Run, job: str, checkpoint: str | None) -> dict[str, Any]:
    """Do a request; the answer.

    Raises:
        BridgeError: it was refused, or failed.
    """
    picture = easel.look(order.picture)
    if order.upscaler == _NONE:
        # There, too, this gives the picture as it is.
        return _answer(base64.b64encode(order.picture).decode())
    target, scale = _target(order, picture)
    await easel.lay_out(Ground(picture), None)
    run.begin(job, 0)
    try:
        done = await easel.paint(
            job,
            run.follow,
            lambda _: (),
            size=target,
            fit="crop" if order.crop else "stretch",
            kind="upscale",
            scale=scale,
            checkpoint=checkpoint,
        )
    except JobStopped:
        return _answer("")
    return _answer(base64.b64encode(done.files[0]).decode())


def _target(order: ExtraOrder, picture: Encoded) -> tuple[Extent, int]:
    """The size in the end, and how many times the bridge enlarges before it is reached.

    Raises:
        BridgeError: ``out_of_range``.
    """
    if order.size is None:
        target = Extent(round(picture.width * order.factor), round(picture.height * order.factor))
    else:
        target = order.size
    factor = max(target.width / picture.width, target.height / picture.height)
    if factor > max(SCALES):
        raise BridgeError("out_of_range", f"The picture would be enlarged {factor:.3g} times.", "Choose at most 4.")
    return target, next(scale for scale in SCALES if factor <= scale)


def _answer(image: str) -> dict[str, Any]:
    return {"html_info": "", "image": image}
