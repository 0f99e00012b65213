"""The text that says how a picture was made, in that server's format, and read back from it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....protocol.messages import JobSettings, Recipe
from .orders import ImageOrder, Order

__all__ = ["Planned", "infotext", "parse_infotext"]

_NEGATIVE = "Negative prompt: "
# A value with a comma or a colon in it stands in quotes, as JSON.
_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_LEAST_PAIRS = 3


@dataclass(frozen=True)
class Planned:
    """What the text says of a picture that was not made: what was asked for. Named as in :class:`.Recipe`."""

    settings: JobSettings
    checkpoint_hash: str
    controlnet_hashes: tuple[str, ...] = ()


def infotext(order: Order, made: Recipe | Planned, version: str) -> str:
    """The text for one picture."""
    settings = made.settings
    said: dict[str, Any] = {
        "Steps": order.steps,
        "Sampler": settings.sampling.sampler,
        "CFG scale": _plain(settings.sampling.guidance or 0.0),
        "Seed": settings.sampling.seed,
        "Size": f"{order.width}x{order.height}",
        "Model hash": made.checkpoint_hash[:10],
        "Model": settings.checkpoint,
    }
    if order.hires is not None:
        target = order.hires.target
        said["Denoising strength"] = _plain(order.strength)
        said["Hires resize"] = f"{target.width}x{target.height}"
        said["Hires steps"] = order.hires.steps or order.steps
        said["Hires upscaler"] = "Paintbridge"
    if isinstance(order, ImageOrder):
        said["Denoising strength"] = _plain(order.strength)
        if order.mask is not None:
            said["Mask blur"] = _plain(order.mask_blur)
            if order.full_res:
                said["Inpaint area"] = "Only masked"
                said["Masked area padding"] = order.full_res_padding
    for number, (use, weights) in enumerate(zip(settings.conditioning.conditions, made.controlnet_hashes, strict=True)):
        said[f"ControlNet {number}"] = (
            f"Module: none, Model: {use.controlnet} [{weights[:8]}], Weight: {_plain(use.strength)}, "
            f"Guidance Start: {_plain(use.start)}, Guidance End: {_plain(use.end)}"
        )
    said["Version"] = f"Paintbridge {version}"
    lines = [order.prompt]
    if order.negative_prompt:
        lines.append(f"{_NEGATIVE}{order.negative_prompt}")
    return "\n".join([*lines, ", ".join(f"{key}: {_quoted(value)}" for key, value in said.items())])


def parse_infotext(text: str) -> dict[str, Any]:
    """The text's parts: ``Prompt``, ``Negative prompt``, and the others by their names."""
    *lines, last = text.strip().split("\n")
    pairs = _PAIR.findall(last)
    if len(pairs) < _LEAST_PAIRS:
        lines, pairs = [*lines, last], []
    prompts: Mapping[bool, list[str]] = {False: [], True: []}
    negative = False
    for line in lines:
        if line.startswith(_NEGATIVE):
            negative, line = True, line.removeprefix(_NEGATIVE)
        prompts[negative].append(line)
    parts = {"Prompt": "\n".join(prompts[False]), "Negative prompt": "\n".join(prompts[True])}
    return {**parts, **{key: _unquoted(value.strip()) for key, value in pairs}}


def _plain(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _quoted(value: Any) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ',:"\n') else text


def _unquoted(text: str) -> str:
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text
