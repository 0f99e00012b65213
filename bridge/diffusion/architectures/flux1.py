"""FLUX.1: streams of a picture's tokens and T5's that attend to each other, modulated by what CLIP pools of the prompt.

Black Forest Labs 2024, https://github.com/black-forest-labs/flux. Tokens are squares of 2 x 2 latents.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from ...models import Checkpoint, Family
from ...prompts import read_text
from ..autoencoder import decode_latents
from ..finite import ModelStep, check_finite
from ..loading import ModuleLoader
from ..lora import Adapters
from ..model import Effect, EncodedPrompts, MaskInput, ModelInputs, PromptEmbeds, pooled_mask
from ..preview import fit_latent_to_rgb
from ..regional_attention import joint_attention_mask, mixed_pooled, shares_of_tokens
from ..schedules import FlowMatchingSchedule
from ..text_encoders.clip import clip_tokenizer
from ..text_encoders.language_model import encode_prompts, plain_words
from ..text_encoders.t5 import PooledClip, T5Encoder
from ..weights import weights_of
from .flux1_names import convert, original_names
from .transformer import TransformerModel

__all__ = ["Flux1Model", "load", "part_classes"]

_PATCH = 2
# How many tokens of T5's they were trained with.
_PLACES, _PLACES_OF_SCHNELL = 512, 256


@dataclass(frozen=True, kw_only=True)
class Flux1Model(TransformerModel):
    """A loaded checkpoint of FLUX.1 (`bridge.diffusion.LatentModel`)."""

    clip: PooledClip
    t5: T5Encoder

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """As `LatentModel.modules`."""
        texts = {"text_encoder": self.clip.module, "text_encoder_2": self.t5.module}
        return {**texts, "transformer": self.transformer, "vae": self.vae}

    @property
    def mask_input(self) -> MaskInput:
        """Fill by 384 channels (latents, masked picture, mask), the others by blending alone."""
        return MaskInput.CHANNELS if self.checkpoint.inpaint else MaskInput.BLEND

    @property
    def effects(self) -> tuple[type[Effect], ...]:
        """No guides' yet."""
        return ()

    @property
    def guidance_embeds(self) -> bool:
        """Whether it is told the guidance: all but schnell."""
        return bool(self.transformer.config.guidance_embeds)

    def schedule(self, size: tuple[int, int], steps: int) -> FlowMatchingSchedule:
        """Shifted by the plane's tokens; schnell's not at all."""
        shift = self.checkpoint.variant.shift if self.checkpoint.variant else None
        return FlowMatchingSchedule.shifted_by(shift, size[0] * size[1] // _PATCH**2, steps)

    def encode_prompts(self, positive: str, negative: str, *, guided: bool = True) -> EncodedPrompts:
        """As `LatentModel.encode_prompts`."""
        prompts = encode_prompts(self.t5, positive, negative, self, guided=guided)
        return replace(
            prompts,
            positive=self._with_pooled(prompts.positive, positive),
            negative=self._with_pooled(prompts.negative, negative if guided else positive),
        )

    def _with_pooled(self, prompt: PromptEmbeds, text: str) -> PromptEmbeds:
        pooled = self.clip.pooled(plain_words(read_text(text)))
        check_finite(pooled, ModelStep.TEXT_ENCODER, self)
        return replace(prompt, pooled=pooled)

    def encode_mask(self, mask: np.ndarray) -> torch.Tensor:
        """For Fill each of a latent's 64 pixels is a channel; else one channel, as `pooled_mask`."""
        if self.mask_input is not MaskInput.CHANNELS:
            return pooled_mask(mask, self.pixels_per_latent)
        pixels = torch.from_numpy(np.ascontiguousarray(mask, np.float32))[None, None]
        return pixel_unshuffle(pixels, self.pixels_per_latent)

    @torch.no_grad()
    def predict(self, inputs: ModelInputs) -> torch.Tensor:
        """As `LatentModel.predict`. Raises ValueError where Fill lacks the mask or the masked picture."""
        latents, regions = inputs.latents, inputs.regions
        count, _, height, width = latents.shape
        rows, columns = height // _PATCH, width // _PATCH
        texts = [inputs.prompt.embeds, *(one.prompt.embeds for one in regions)]
        text = torch.cat(texts, dim=1).to(latents.dtype)
        pooled = mixed_pooled(inputs.prompt, regions)
        assert pooled is not None
        attention = None
        if regions:
            shares = shares_of_tokens(regions, (rows, columns))
            attention = {"attention_mask": joint_attention_mask([one.shape[1] for one in texts], shares, latents)}
        predicted: torch.Tensor = self.transformer(
            hidden_states=torch.cat([_tokens(latents), *self._beside(inputs)], dim=2),
            encoder_hidden_states=text,
            pooled_projections=pooled.to(latents.dtype),
            timestep=torch.full((count,), float(inputs.timestep), device=latents.device),
            guidance=torch.full((count,), inputs.guidance, device=latents.device) if self.guidance_embeds else None,
            img_ids=_positions(rows, columns, latents.device),
            txt_ids=torch.zeros(text.shape[1], 3, device=latents.device),
            joint_attention_kwargs=attention,
            return_dict=False,
        )[0]
        return pixel_shuffle(predicted.transpose(1, 2).reshape(count, -1, rows, columns), _PATCH)

    def _beside(self, inputs: ModelInputs) -> list[torch.Tensor]:
        """What Fill's tokens have beside the latents: those of the masked picture, and the mask."""
        if self.mask_input is not MaskInput.CHANNELS:
            return []
        if inputs.mask is None or inputs.masked_image_latents is None:
            raise ValueError("FLUX.1 Fill needs the mask and the masked picture's latents")
        count = len(inputs.latents)
        beside = (inputs.masked_image_latents, inputs.mask)
        return [_tokens(one.to(inputs.latents)).expand(count, -1, -1) for one in beside]


def _tokens(plane: torch.Tensor) -> torch.Tensor:
    """(n, c, h, w) as tokens of 2 x 2, (n, h / 2 * w / 2, 4c)."""
    return pixel_unshuffle(plane, _PATCH).flatten(2).transpose(1, 2)


@lru_cache(maxsize=64)
def _positions(rows: int, columns: int, device: torch.device) -> torch.Tensor:
    """Where a picture's tokens are: (rows * columns, 3), 0, row, column."""
    axes = (torch.zeros(1), torch.arange(rows).float(), torch.arange(columns).float())
    return torch.cartesian_prod(*axes).to(device)


def part_classes(family: Family) -> dict[str, Any]:  # noqa: ARG001
    """The classes of the parts that have weights, by their names in a diffusers folder."""
    return {
        "text_encoder": transformers.CLIPTextModel,
        "text_encoder_2": transformers.T5EncoderModel,
        "vae": diffusers.AutoencoderKL,
        "transformer": diffusers.FluxTransformer2DModel,
    }


def load(checkpoint: Checkpoint, loader: ModuleLoader) -> Flux1Model:
    """The checkpoint's parts, each by `loader`.

    Raises CheckpointUnreadable where a part's weights do not fit its config, and ModelNotFinite where the VAE decodes
    to no numbers.
    """
    weights = weights_of(checkpoint, convert)
    clip, t5 = checkpoint.family.texts
    tokenizers = (clip_tokenizer(weights, clip), weights.tokenizer(t5, transformers.T5TokenizerFast))
    modules = weights.modules(part_classes(checkpoint.family), loader)
    vae, transformer, device = modules["vae"], modules["transformer"], loader.device.torch_device
    places = _PLACES if transformer.config.guidance_embeds else _PLACES_OF_SCHNELL
    model = Flux1Model(
        checkpoint=checkpoint,
        device=loader.device,
        clip=PooledClip(tokenizers[0], modules["text_encoder"], device),
        t5=T5Encoder(tokenizers[1], modules["text_encoder_2"], device, places=places),
        transformer=transformer,
        vae=vae,
        latent_to_rgb=fit_latent_to_rgb(
            lambda latents: decode_latents(vae, latents.to(device)), int(vae.config.latent_channels)
        ),
        adapters=Adapters(
            {name: modules[name] for name in ("text_encoder", "transformer")},
            loader.device,
            title=checkpoint.id,
            originals=original_names(transformer),
        ),
    )
    # Before minutes are spent on latents that it could not decode.
    check_finite(model.latent_to_rgb, ModelStep.VAE, model)
    return model
