"""`extra-single-image` and `extra-batch-images`: pictures enlarged, by a filter, or by the bridge's own upscale."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ....imaging.orders import BaseImage, Encoded, Enlarge
from ....protocol.errors import BridgeError
from ....protocol.messages import SCALES, Extent
from ..api_job import ApiJob
from ..bodies import decode_base64
from ..fields import Fields
from .runs import Run

__all__ = ["UPSCALERS", "ExtraOrder", "html_info", "read_batch", "read_extra", "upscale"]

_NONE, _OURS = "None", "Paintbridge"
# libvips' names for the filters.
_KERNELS = {"Lanczos": "lanczos3", "Nearest": "nearest"}
UPSCALERS: list[dict[str, Any]] = [
    {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": max(SCALES)}
    for name in (_NONE, *_KERNELS, _OURS)
]
"""The answer to `upscalers`."""

# Networks that are there and not here. Clients choose them unasked, so the nearest of kind stands in, and the answer
# says so.
_NETWORKS = re.compile(r"esrgan|swinir|ldsr|scunet|ultrasharp|remacri|nmkd|bsrgan|\bdat\b|\bhat\b", re.IGNORECASE)
_MOST_SIDE = 1 << 16
_MOST_PICTURES = 256
_WITHOUT_EFFECT: dict[str, Any] = {
    "codeformer_visibility": 0,
    "extras_upscaler_2_visibility": 0,
    "gfpgan_visibility": 0,
}
# How the others are shown, in which order they are done, or how what is not done would be.
_MEANINGLESS = ("show_extras_results", "upscale_first", "codeformer_weight", "upscaler_2")


@dataclass(frozen=True)
class ExtraOrder:
    """One picture to enlarge. ``size`` counts where it is given, ``factor`` otherwise."""

    picture: bytes = field(repr=False)
    upscaler: str
    factor: float
    size: Extent | None
    crop: bool


def read_extra(body: dict[str, Any]) -> tuple[list[ExtraOrder], tuple[str, ...]]:
    """Read a request for one picture; the names of fields without effect are told beside it.

    Raises:
        FieldsRefused
        BridgeError: ``picture_unreadable``, ``missing_field``.
    """
    fields = Fields(body)
    picture = fields.text("image", most=1 << 40)
    return _read(fields, [picture] if picture else [])


def read_batch(body: dict[str, Any]) -> tuple[list[ExtraOrder], tuple[str, ...]]:
    """Read a request for several. Returns and raises as :func:`read_extra`."""
    fields = Fields(body)
    entries = fields.raw("imageList")
    pictures: list[str] = []
    if not isinstance(entries, list | None):
        fields.refuse("imageList", "it must be a list.", "list")
    elif len(entries or ()) > _MOST_PICTURES:
        fields.refuse("imageList", f"it must have at most {_MOST_PICTURES} pictures.")
    else:
        found = [entry.get("data") if isinstance(entry, dict) else None for entry in entries or ()]
        pictures = [data for data in found if isinstance(data, str)]
        if len(pictures) < len(found):
            fields.refuse("imageList", "each of its pictures must have data, in Base64.", "str")
    return _read(fields, pictures)


def _read(fields: Fields, pictures: Sequence[str]) -> tuple[list[ExtraOrder], tuple[str, ...]]:
    upscaler = _upscaler(fields)
    by_size = fields.integer("resize_mode", 0, 0, 1) == 1
    factor = fields.number("upscaling_resize", 2.0, 0.01, 64.0)
    size = Extent(
        fields.integer("upscaling_resize_w", 512, 1, _MOST_SIDE),
        fields.integer("upscaling_resize_h", 512, 1, _MOST_SIDE),
    )
    crop = fields.flag("upscaling_crop", True)
    for name in _MEANINGLESS:
        fields.raw(name)
    fields.without_effect(**_WITHOUT_EFFECT)
    fields.check()
    if not pictures:
        raise BridgeError("missing_field", "Image not found", "Send the picture in image, as Base64.")
    orders = [
        ExtraOrder(decode_base64(picture), upscaler, factor, size if by_size else None, crop) for picture in pictures
    ]
    return orders, fields.ignored()


def _upscaler(fields: Fields) -> str:
    name = fields.text("upscaler_1", _NONE)
    known = {upscaler["name"].lower(): str(upscaler["name"]) for upscaler in UPSCALERS}
    if name.lower() in known:
        return known[name.lower()]
    if _NETWORKS.search(name):
        fields.ignore("upscaler_1")
        return _OURS
    fields.refuse("upscaler_1", f"it must be one of {', '.join(known.values())}.")
    return _NONE


async def upscale(api_job: ApiJob, order: ExtraOrder, picture: Encoded, run: Run, checkpoint: str | None) -> bytes:
    """Enlarge a picture; the file.

    Raises:
        BridgeError: it was refused, or failed.
        JobStopped
    """
    fit = "crop" if order.crop else "stretch"
    if order.upscaler == _NONE:
        # There, too, this gives the picture as it is.
        return await api_job.enlarge(Enlarge(picture, "nearest", api_job.most_pixels))
    if order.upscaler in _KERNELS:
        kernel = _KERNELS[order.upscaler]
        return await api_job.enlarge(Enlarge(picture, kernel, api_job.most_pixels, order.factor, order.size, fit))
    await api_job.lay_out(BaseImage(picture), None)
    target, scale = _target(order, api_job.canvas)
    done = await api_job.paint(
        run.job, run.follow, lambda _: (), size=target, fit=fit, kind="upscale", scale=scale, checkpoint=checkpoint
    )
    return done.files[0]


def html_info(hints: Sequence[str]) -> str:
    """What its clients show beside the pictures."""
    return "".join(f"<p>{html.escape(hint)}</p>" for hint in hints)


def _target(order: ExtraOrder, canvas: Extent) -> tuple[Extent, int]:
    """The size in the end, and how many times the bridge enlarges before it is reached.

    Raises:
        BridgeError: ``out_of_range``.
    """
    factor = order.factor
    target = order.size or Extent(max(1, round(canvas.width * factor)), max(1, round(canvas.height * factor)))
    factor = max(target.width / canvas.width, target.height / canvas.height)
    if factor > max(SCALES):
        raise BridgeError(
            "out_of_range",
            "The picture would be enlarged {factor} times.",
            "Choose at most 4, or Lanczos.",
            factor=f"{factor:.3g}",
        )
    return target, next(scale for scale in SCALES if factor <= scale)
