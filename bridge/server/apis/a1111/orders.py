"""What txt2img and img2img are asked, field by field, with that API's names and defaults."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from ....protocol.errors import BridgeError
from ....protocol.messages import Extent
from ..bodies import decode_base64
from ..fields import MOST_SIDE, Fields
from .controlnet import Unit, read_units
from .hires import FIELDS as HIRES
from .hires import Hires, read_hires
from .samplers import resolve_sampler

__all__ = ["ImageOrder", "Order", "read_img2img", "read_txt2img"]

_MOST_ROUNDS = 256
_LEAST_STRENGTH = 0.01

# Known there, not heeded here, with the values that ask for nothing.
_WITHOUT_EFFECT: dict[str, Any] = {
    "comments": {},
    "disable_extra_networks": False,
    "do_not_save_grid": (False, True),
    "do_not_save_samples": (False, True),
    "eta": (0, 1),
    "firstpass_image": None,
    "force_task_id": None,
    "infotext": None,
    "refiner_checkpoint": None,
    "refiner_switch_at": 0,
    "restore_faces": False,
    "s_churn": 0,
    "s_min_uncond": 0,
    "s_noise": (0, 1),
    "s_tmax": 0,
    "s_tmin": 0,
    "save_images": False,
    "script_args": [],
    "script_name": None,
    "seed_resize_from_h": (-1, 0),
    "seed_resize_from_w": (-1, 0),
    "styles": [],
    "subseed": -1,
    "subseed_strength": 0,
    "tiling": False,
}
_IMAGE_WITHOUT_EFFECT: dict[str, Any] = {
    "enable_hr": False,
    "image_cfg_scale": (0, 1.5),
    "initial_noise_multiplier": (0, 1),
    "latent_mask": None,
    "mask_round": True,
}


@dataclass(frozen=True)
class Order:
    """One request. ``sampler`` is one of the bridge's; ``overrides`` are the settings that it names for itself;
    ``strength`` is that of a picture's or of the second pass ``hires``.
    """

    prompt: str
    negative_prompt: str
    seed: int
    batch_size: int
    n_iter: int
    steps: int
    cfg_scale: float
    width: int
    height: int
    sampler: str
    send_images: bool
    overrides: dict[str, Any]
    restore_afterwards: bool
    strength: float = 0.75
    hires: Hires | None = None
    units: tuple[Unit, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageOrder(Order):
    """One request with a picture."""

    picture: bytes = field(default=b"", repr=False)
    mask: bytes | None = field(default=None, repr=False)
    resize_mode: int = 0
    mask_blur: float = 4.0
    fill: int = 0
    full_res: bool = True
    full_res_padding: int = 0
    invert: bool = False


def read_txt2img(body: dict[str, Any]) -> Order:
    """Read a request.

    Raises:
        FieldsRefused
        BridgeError: ``unsupported_sampler``.
    """
    fields = Fields(body)
    common = _read_common(fields)
    if fields.flag("enable_hr", False):
        common["strength"] = _strength(fields)
        first, common["hires"] = read_hires(fields, Extent(common["width"], common["height"]))
        common["width"], common["height"] = first.width, first.height
    else:
        for name in ("denoising_strength", *HIRES):
            fields.raw(name)
    fields.check()
    return Order(**common, ignored=fields.ignored())


def read_img2img(body: dict[str, Any]) -> ImageOrder:
    """Read a request.

    Raises:
        FieldsRefused
        BridgeError: ``unsupported_sampler``, ``picture_unreadable``, ``missing_field``.
    """
    fields = Fields(body)
    common = _read_common(fields)
    pictures = fields.pictures("init_images")
    if len(pictures) > 1:
        fields.refuse("init_images", "the bridge repaints one picture a request.")
    mask = fields.text("mask", most=1 << 40)
    blurs = [fields.number(f"mask_blur_{axis}", 4.0, 0.0, 1024.0) for axis in "xy"]
    image: dict[str, Any] = {
        "resize_mode": fields.integer("resize_mode", 0, 0, 3),
        "strength": _strength(fields),
        "mask_blur": fields.number("mask_blur", max(blurs), 0.0, 1024.0),
        "fill": fields.integer("inpainting_fill", 0, 0, 3),
        "full_res": fields.flag("inpaint_full_res", True),
        "full_res_padding": fields.integer("inpaint_full_res_padding", 0, 0, 4096),
        "invert": bool(fields.integer("inpainting_mask_invert", 0, 0, 1)),
    }
    fields.flag("include_init_images", False)
    fields.without_effect(**_IMAGE_WITHOUT_EFFECT)
    fields.check()
    if not pictures:
        raise BridgeError("missing_field", "Init image not found", "Send the picture in init_images, as Base64.")
    return ImageOrder(
        **common,
        **image,
        picture=decode_base64(pictures[0]),
        mask=decode_base64(mask) if mask else None,
        ignored=fields.ignored(),
    )


def _strength(fields: Fields) -> float:
    strength = fields.number("denoising_strength", 0.75, 0.0, 1.0)
    if strength < _LEAST_STRENGTH:
        fields.ignore("denoising_strength")
    return max(_LEAST_STRENGTH, strength)


def _read_common(fields: Fields) -> dict[str, Any]:
    seed = fields.integer("seed", -1, -1, (1 << 64) - 1)
    sampler, unheeded = resolve_sampler(
        fields.text("sampler_name") or fields.text("sampler_index") or "Euler", fields.text("scheduler")
    )
    fields.text("sampler_index")
    units, unheard = read_units(fields.mapping("alwayson_scripts"))
    for name in (*unheeded, *unheard):
        fields.ignore(name)
    fields.without_effect(**_WITHOUT_EFFECT)
    return {
        "prompt": fields.text("prompt"),
        "negative_prompt": fields.text("negative_prompt"),
        "seed": secrets.randbelow(1 << 32) if seed == -1 else seed,
        "batch_size": fields.integer("batch_size", 1, 1, 64),
        "n_iter": fields.integer("n_iter", 1, 1, _MOST_ROUNDS),
        "steps": fields.integer("steps", 50, 1, 1000),
        "cfg_scale": fields.number("cfg_scale", 7.0, 0.0, 100.0),
        "width": fields.integer("width", 512, 8, MOST_SIDE),
        "height": fields.integer("height", 512, 8, MOST_SIDE),
        "sampler": sampler,
        "units": units,
        "send_images": fields.flag("send_images", True),
        "overrides": dict(fields.mapping("override_settings")),
        "restore_afterwards": fields.flag("override_settings_restore_afterwards", True),
    }
