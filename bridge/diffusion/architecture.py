"""How each family's parts are loaded, and how its UNet is asked: the torch side of `bridge.models.family`.

What differs is told by the family's facts, so that neither the denoising loop nor the painter knows a family by name.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import diffusers
import torch
import transformers

from ..models import Family
from .control import Control, residuals
from .text import TextStates

if TYPE_CHECKING:
    from .components import Components

__all__ = ["hears_guidance", "part_kinds", "predict"]


def part_kinds(family: Family) -> dict[str, Any]:
    """The classes of the parts that have weights, by their names in a diffusers folder."""
    kinds: dict[str, Any] = {
        text.encoder: transformers.CLIPTextModelWithProjection if text.pooled else transformers.CLIPTextModel
        for text in family.texts
    }
    return {**kinds, "vae": diffusers.AutoencoderKL, "unet": diffusers.UNet2DConditionModel}


def hears_guidance(components: "Components") -> bool:
    """Whether the UNet is told the guidance and asked once (LCM), not asked with and without the prompt."""
    return getattr(components.unet.config, "time_cond_proj_dim", None) is not None


def predict(
    components: "Components",
    inputs: torch.Tensor,
    timestep: float | torch.Tensor,
    text: TextStates,
    *,
    guidance: float = 1.0,
    controls: Sequence[Control] = (),
) -> torch.Tensor:
    """What the UNet predicts for `inputs` (n, c, h, w), latents and what its kind takes beside them.

    `guidance` matters to those alone that hear it; `controls` are those that count now.
    """
    options: dict[str, Any] = {"encoder_hidden_states": text.states}
    if hears_guidance(components):
        width = components.unet.config.time_cond_proj_dim
        options["timestep_cond"] = _guidance_wave(guidance, width).to(inputs).expand(len(inputs), -1)
    if components.checkpoint.family.sized:
        sizes = _sizes(components, inputs).to(text.states).expand(len(inputs), -1)
        options["added_cond_kwargs"] = {"text_embeds": text.pooled, "time_ids": sizes}
    if controls:
        latents = inputs[:, : components.latent_channels]
        down, middle = residuals(controls, latents, timestep, text.states, options.get("added_cond_kwargs"))
        options |= {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
    prediction: torch.Tensor = components.unet(inputs, timestep, return_dict=False, **options)[0]
    return prediction


def _guidance_wave(guidance: float, width: int) -> torch.Tensor:
    """Luo et al. 2023, "Latent Consistency Models": the guidance above 1 as sines and cosines, (1, width)."""
    half = width // 2
    rates = torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
    angles = (guidance - 1) * 1000 * rates
    return torch.cat([angles.sin(), angles.cos()])[None]


def _sizes(components: "Components", inputs: torch.Tensor) -> torch.Tensor:
    """Original size, crop's corner and target size in pixels (Podell et al. 2023, "SDXL", section 2.2): (1, 6).

    The plane is said to be whole and uncropped, and never larger than the checkpoint's native size: larger planes are
    looked at in tiles of about that size.
    """
    scale = components.vae_scale
    height, width = inputs.shape[-2] * scale, inputs.shape[-1] * scale
    shrink = min(1.0, (components.checkpoint.card.native_pixels / (height * width)) ** 0.5)
    height, width = round(height * shrink), round(width * shrink)
    return torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32)
