"""ControlNet's extension of that API, as far as its units come to conditions of the bridge: a picture that is drawn
already (module `none`), or one of which a map is made first, for a ControlNet for such pictures.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ....models.names import find_name
from ....protocol.errors import BridgeError
from ....protocol.messages import Condition
from ..api_job import ApiJob
from ..bodies import decode_base64
from ..fields import Fields
from .modules import MODULES, TYPES, module_details, options_of

__all__ = ["LISTS", "Unit", "control_types", "guide", "read_units"]

_FIELD = "alwayson_scripts.controlnet"

_NONE = "None"
_UNITS = 3
# What its picture is brought to: lines that are drawn already, dark on light or light on dark.
_MODULES = ("none", "", "invert", "invert (from white bg & black line)")
_FITS: dict[Any, str] = {
    0: "stretch", "Just Resize": "stretch", "Scale to Fit (Inner Fit)": "crop", 1: "crop", "Crop and Resize": "crop",
    2: "pad", "Resize and Fill": "pad", "Envelope (Outer Fit)": "pad",
}  # fmt: skip
_WITHOUT_EFFECT: dict[str, Any] = {
    "control_mode": (0, "Balanced"),
    "guess_mode": False,
    "guessmode": False,
    "mask": None,
    "mask_image": None,
}
# They are of preprocessors, or of how it is computed.
_MEANINGLESS = ("low_vram", "lowvram", "pixel_perfect", "processor_res", "save_detected_map", "hr_option")

LISTS: dict[str, Any] = {
    "/controlnet/version": {"version": 3},
    "/controlnet/settings": {"control_net_unit_count": _UNITS},
    "/controlnet/module_list": {
        "module_list": ["none", *MODULES],
        "module_detail": module_details(),
    },
}
"""What its endpoints answer, whatever there is."""


@dataclass(frozen=True)
class Unit:
    """One of the ControlNets at work. ``picture`` None: the one that is repainted; ``options`` are the condition's.
    ``estimate`` are the settings of a job that makes a map of the picture first; None: it is one.
    """

    model: str
    picture: bytes | None = field(repr=False)
    fit: str
    options: Mapping[str, float]
    estimate: dict[str, Any] | None = None


def read_units(scripts: Mapping[str, Any]) -> tuple[tuple[Unit, ...], tuple[str, ...]]:
    """The units of a request's ``alwayson_scripts``, and the names of what has no effect in there.

    Raises:
        FieldsRefused
        BridgeError: ``picture_unreadable``.
    """
    ignored = [f"alwayson_scripts.{name}" for name in scripts if name.lower() != "controlnet"]
    said: Any = next((value for name, value in scripts.items() if name.lower() == "controlnet"), {})
    args = said.get("args", []) if isinstance(said, dict) else None
    if not isinstance(args, list):
        ignored.append(_FIELD)
    units = []
    for number, arg in enumerate(args if isinstance(args, list) else ()):
        if not isinstance(arg, dict):
            ignored.append(f"{_FIELD}.{number}")
            continue
        unit, unheeded = _read(arg)
        units += [unit] if unit is not None else []
        ignored += [f"{_FIELD}.{number}.{name}" for name in unheeded]
    return tuple(units), tuple(ignored)


def _read(arg: Mapping[str, Any]) -> tuple[Unit | None, tuple[str, ...]]:
    fields = Fields({**arg, "image": arg.get("image") or arg.get("input_image")})
    fields.raw("input_image")
    model = fields.text("model", _NONE)
    enabled = fields.flag("enabled", True) and model.lower() != "none"
    module = fields.text("module", "none").lower()
    picture = fields.raw("image")
    # Older clients send it with its mask.
    picture = picture.get("image") if isinstance(picture, dict) else picture
    options = {
        "strength": fields.number("weight", 1.0, 0.0, 2.0),
        "start": fields.number("guidance_start", 0.0, 0.0, 1.0),
        "end": fields.number("guidance_end", 1.0, 0.0, 1.0),
    }
    fit = _FITS.get(fields.raw("resize_mode") if arg.get("resize_mode") is not None else 1)
    if fit is None:
        fields.refuse("resize_mode", "it must be 0, 1 or 2.")
    low, high = (fields.number(f"threshold_{name}", -1.0, -1.0, 1000.0) for name in ("a", "b"))
    for name in _MEANINGLESS:
        fields.raw(name)
    fields.without_effect(**_WITHOUT_EFFECT)
    fields.check()
    if not enabled:
        return None, ()
    if module not in _MODULES and module not in MODULES:
        return None, ("module",)
    data = decode_base64(picture) if isinstance(picture, str) and picture else None
    estimate = options_of(module, low, high) if module in MODULES else None
    return Unit(model, data, fit or "crop", options, estimate), fields.ignored()


async def guide(
    api_job: ApiJob,
    units: Sequence[Unit],
    kinds: Mapping[str, Sequence[str]],
    repainted: bytes | None,
    make_map: Callable[[bytes, dict[str, Any]], Awaitable[bytes]],
) -> tuple[Condition, ...]:
    """The job's conditions. ``kinds`` of condition are by the ControlNets' names; ``make_map`` makes a picture's, by a
    job's settings.

    Raises:
        BridgeError: ``unsupported_condition``, ``missing_field``; those of the pictures.
    """
    conditions = []
    for unit in units:
        wanted = unit.model.rpartition(" [")[0] or unit.model
        name = find_name(wanted, kinds)
        if name is None:
            raise BridgeError(
                "unsupported_condition",
                "There is no ControlNet named {wanted} for pictures of a known kind.",
                "There are: {shown}.",
                wanted=repr(wanted),
                shown=", ".join(kinds) or "none",
            )
        picture = unit.picture or repainted
        if picture is None:
            raise BridgeError("missing_field", "No image selected", "Send the unit's picture in image, as Base64.")
        if unit.estimate is not None:
            api_job.look(picture)
            picture = await make_map(picture, unit.estimate)
        encoded = api_job.look(picture)
        kind = _kind(name, kinds[name], unit)
        conditions.append(await api_job.guide(encoded, kind, unit.fit, controlnet=name, **unit.options))
    return tuple(conditions)


def _kind(name: str, kinds: Sequence[str], unit: Unit) -> str:
    """What the unit's picture is to a ControlNet that takes these kinds."""
    if len(kinds) == 1:
        return kinds[0]
    kind = None if unit.estimate is None else unit.estimate["control_kind"]
    if kind not in kinds:
        raise BridgeError(
            "unsupported_condition",
            "{name} takes many kinds of pictures, and the unit does not say of which kind its own is.",
            "Choose the unit's module (the preprocessor) for that kind, or a ControlNet for one kind.",
            name=name,
        )
    return str(kind)


def control_types(kinds: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The answer to `control_types`."""
    found = {}
    for title, kind in TYPES.items():
        models = [name for name, heard in kinds.items() if kind is None or kind in heard]
        found[title] = {
            "module_list": ["none", *(module for module, made in MODULES.items() if kind in (None, made))],
            "model_list": [_NONE, *models],
            "default_option": "none",
            "default_model": models[0] if models and kind else _NONE,
        }
    return {"control_types": found}
