"""FLUX.2 Klein: streams of a picture's and a language model's tokens that attend to each other, and references.

Black Forest Labs 2026, https://github.com/black-forest-labs/flux2. A token is a square of 2 x 2 of the autoencoder's
latents, 16 x 16 pixels: here that is one latent of 128 channels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from ...models import Checkpoint, Family
from ..autoencoder import decode_unscaled, encode_unscaled
from ..conditioning.reference_tokens import ReferenceConditioner, ReferenceLatents, attention_bias, seen_references
from ..finite import ModelStep, check_finite
from ..loading import ModuleLoader
from ..lora import Adapters
from ..model import Effect, EncodedPrompts, MaskInput, ModelInputs
from ..preview import fit_latent_to_rgb
from ..regional_attention import joint_attention_mask, shares_of_tokens
from ..schedules import FlowMatchingSchedule, flux2_mu
from ..text_encoders.language_model import LanguageModel, encode_prompts
from ..weights import weights_of
from .flux2_names import convert, original_names
from .transformer import TransformerModel

__all__ = ["Flux2Model", "LatentStatistics", "ReferenceTokens", "load", "part_classes"]

_PATCH = 2
# After these layers the states of Qwen3 are taken.
_TEXT_LAYERS = (9, 18, 27)
# Where references lie along the axis of time: the picture itself at 0, the first of them here, the others as far apart.
_REFERENCE_TIME = 10


@dataclass(frozen=True)
class LatentStatistics:
    """What patches of the autoencoder's latents are normalized by, `mean` and `std` (1, 128, 1, 1)."""

    mean: torch.Tensor
    std: torch.Tensor

    @classmethod
    def of(cls, vae: Any) -> "LatentStatistics":
        """Those that its batch norm gathered while it was trained."""
        variance = vae.bn.running_var.float()[None, :, None, None]
        mean = vae.bn.running_mean.float()[None, :, None, None]
        return cls(mean, torch.sqrt(variance + vae.config.batch_norm_eps))

    def normalized(self, latents: torch.Tensor) -> torch.Tensor:
        """The autoencoder's latents (n, 32, 2h, 2w) as those of the denoiser (n, 128, h, w)."""
        patches = pixel_unshuffle(latents, _PATCH)
        return (patches - self.mean.to(patches.device)) / self.std.to(patches.device)

    def unnormalized(self, latents: torch.Tensor) -> torch.Tensor:
        """The way back."""
        patches = latents.float() * self.std.to(latents.device) + self.mean.to(latents.device)
        return pixel_shuffle(patches, _PATCH)


@dataclass(frozen=True)
class ReferenceTokens:
    """What the denoiser looks at beside what it denoises: `tokens` (1, count, 128) at `positions` (count, 4)."""

    tokens: torch.Tensor
    positions: torch.Tensor

    @classmethod
    def of(cls, latents: torch.Tensor, mask: torch.Tensor | None, index: int) -> "ReferenceTokens":
        """Those of latents (1, 128, h, w), the reference of number `index` from 0, but for those where the mask
        (1, 1, h, w) is not 0.
        """
        positions = _grid(*latents.shape[2:], _REFERENCE_TIME * (index + 1), latents.device)
        tokens = _tokens(latents)
        if mask is None:
            return cls(tokens, positions)
        seen = mask.flatten() == 0
        return cls(tokens[:, seen], positions[seen])


@dataclass(frozen=True, kw_only=True)
class Flux2Model(TransformerModel):
    """A loaded checkpoint of FLUX.2 Klein (`bridge.diffusion.LatentModel`)."""

    language_model: LanguageModel
    statistics: LatentStatistics

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """As `LatentModel.modules`."""
        return {"text_encoder": self.language_model.module, "transformer": self.transformer, "vae": self.vae}

    @property
    def latent_channels(self) -> int:
        """As `LatentModel.latent_channels`."""
        return int(self.transformer.config.in_channels)

    @property
    def mask_input(self) -> MaskInput:
        """By reference tokens of what is not masked, or by green where a LoRA was trained on that, and by blending."""
        marked = any(one.strength > 0 and one.lora.outpaints for one in self.loras)
        return MaskInput.MARKED_REFERENCE if marked else MaskInput.REFERENCE

    @property
    def effects(self) -> tuple[type[Effect], ...]:
        """References."""
        return (ReferenceLatents,)

    def schedule(self, size: tuple[int, int], steps: int) -> FlowMatchingSchedule:
        """Shifted by the plane's tokens and by the steps."""
        return FlowMatchingSchedule(mu=flux2_mu).for_image(size[0] * size[1], steps)

    def encode_prompts(self, positive: str, negative: str, *, guided: bool = True) -> EncodedPrompts:
        """As `LatentModel.encode_prompts`."""
        return encode_prompts(self.language_model, positive, negative, self, guided=guided)

    def reference(self, rgb: np.ndarray, index: int) -> ReferenceConditioner:
        """As `TakesReferences.reference`."""
        return ReferenceConditioner(self.encode(rgb), index)

    @torch.no_grad()
    def predict(self, inputs: ModelInputs) -> torch.Tensor:
        """As `LatentModel.predict`."""
        latents = inputs.latents
        texts = [inputs.prompt.embeds, *(one.prompt.embeds for one in inputs.regions)]
        count, _, height, width = latents.shape
        around = self._around(inputs)
        shown = seen_references([one.effect(inputs, {}) for one in inputs.conditioners])
        references = (*around, *(ReferenceTokens.of(one.latents, None, one.index) for one in shown))
        before = sum(len(one.positions) for one in around)
        bias = attention_bias(shown, words=sum(one.shape[1] for one in texts), grid=(height, width), before=before)
        regional = self._regional_bias(inputs, texts, around, references)
        if regional is not None:
            bias = regional if bias is None else regional + bias.to(regional)
        tokens = [_tokens(latents), *(one.tokens.to(latents).expand(count, -1, -1) for one in references)]
        positions = [_grid(height, width, 0, latents.device), *(one.positions.to(latents.device) for one in references)]
        predicted: torch.Tensor = self.transformer(
            hidden_states=torch.cat(tokens, dim=1),
            encoder_hidden_states=torch.cat(texts, dim=1).to(latents.dtype),
            timestep=torch.full((count,), float(inputs.timestep), device=latents.device),
            img_ids=torch.cat(positions),
            txt_ids=torch.cat([_text_positions(one.shape[1], latents.device) for one in texts]),
            joint_attention_kwargs=None if bias is None else {"attention_mask": bias.to(latents)},
            return_dict=False,
        )[0]
        return predicted[:, : height * width].transpose(1, 2).reshape(latents.shape)

    def _regional_bias(
        self,
        inputs: ModelInputs,
        texts: Sequence[torch.Tensor],
        around: Sequence[ReferenceTokens],
        references: Sequence[ReferenceTokens],
    ) -> torch.Tensor | None:
        """Which tokens see which, where there are regions. What is `around` belongs to the regions that it shows, and
        all prompts see the other references.
        """
        if not inputs.regions:
            return None
        height, width = inputs.latents.shape[2:]
        plane = shares_of_tokens(inputs.regions, (height, width))
        places = [one.positions[:, 1] * width + one.positions[:, 2] for one in around]
        count = sum(len(one.positions) for one in references[len(around) :])
        shown = [plane[:, one.to(plane.device)] for one in places]
        shares = torch.cat([plane, *shown, plane.new_ones(len(plane), count)], dim=1)
        return joint_attention_mask([one.shape[1] for one in texts], shares, inputs.latents)

    def _around(self, inputs: ModelInputs) -> Sequence[ReferenceTokens]:
        """The picture around what is masked, or with marks there, where it is given."""
        if inputs.masked_image_latents is None:
            return ()
        mask = inputs.mask if self.mask_input is MaskInput.REFERENCE else None
        return (ReferenceTokens.of(inputs.masked_image_latents, mask, 0),)

    def _latents(self, rgb: np.ndarray) -> torch.Tensor:
        return self.statistics.normalized(encode_unscaled(self.vae, rgb, self.device.torch_device))

    def _pixels(self, latents: torch.Tensor) -> torch.Tensor:
        return decode_unscaled(self.vae, self.statistics.unnormalized(latents))


def _tokens(latents: torch.Tensor) -> torch.Tensor:
    """(n, c, h, w) as (n, h * w, c)."""
    return latents.flatten(2).transpose(1, 2)


@lru_cache(maxsize=64)
def _grid(height: int, width: int, time: int, device: torch.device) -> torch.Tensor:
    """Where a picture's tokens are: (h * w, 4), time, row, column, and 0 along the text's axis."""
    axes = (torch.tensor([time]), torch.arange(height), torch.arange(width), torch.tensor([0]))
    return torch.cartesian_prod(*axes).to(device)


@lru_cache(maxsize=8)
def _text_positions(count: int, device: torch.device) -> torch.Tensor:
    """Where a text's tokens are: (count, 4), along an axis of their own."""
    return torch.nn.functional.pad(torch.arange(count)[:, None], (3, 0)).to(device)


def part_classes(family: Family) -> dict[str, Any]:  # noqa: ARG001
    """The classes of the parts that have weights, by their names in a diffusers folder."""
    return {
        "text_encoder": transformers.Qwen3Model,
        "vae": diffusers.AutoencoderKLFlux2,
        "transformer": diffusers.Flux2Transformer2DModel,
    }


def load(checkpoint: Checkpoint, loader: ModuleLoader) -> Flux2Model:
    """The checkpoint's parts, each by `loader`.

    Raises CheckpointUnreadable where a part's weights do not fit its config, and ModelNotFinite where the VAE decodes
    to no numbers.
    """
    weights = weights_of(checkpoint, convert)
    tokenizer = weights.tokenizer(checkpoint.family.texts[0], transformers.Qwen2TokenizerFast)
    modules = weights.modules(part_classes(checkpoint.family), loader)
    vae, device = modules["vae"], loader.device.torch_device
    statistics = LatentStatistics.of(vae)
    model = Flux2Model(
        checkpoint=checkpoint,
        device=loader.device,
        language_model=LanguageModel(
            tokenizer, modules["text_encoder"], device, layers=_TEXT_LAYERS, thinking=False, padded=True
        ),
        transformer=modules["transformer"],
        vae=vae,
        statistics=statistics,
        latent_to_rgb=_latent_to_rgb(vae, statistics, device),
        adapters=Adapters(
            {"transformer": modules["transformer"]},
            loader.device,
            title=checkpoint.id,
            originals=original_names(modules["transformer"]),
        ),
    )
    # Before minutes are spent on latents that it could not decode.
    check_finite(model.latent_to_rgb, ModelStep.VAE, model)
    return model


def _latent_to_rgb(vae: Any, statistics: LatentStatistics, device: torch.device) -> torch.Tensor:
    """As `LatentModel.latent_to_rgb`: a patch has the mean colour of its four latents.

    The map is fitted to these, which takes a sixteenth of the pictures that patches would.
    """
    channels = int(vae.config.latent_channels)
    mean, std = (one.flatten().cpu().reshape(channels, -1) for one in (statistics.mean, statistics.std))
    # The same for all four places, as a latent alone has it.
    middle, spread = (one.mean(dim=1) for one in (mean, std))

    def decode(latents: torch.Tensor) -> torch.Tensor:
        return decode_unscaled(vae, (latents * spread[:, None, None] + middle[:, None, None]).to(device))

    fitted = fit_latent_to_rgb(decode, channels)
    of_latent = fitted[:-1] / spread[:, None] / _PATCH**2
    weights = (of_latent[:, None] * std[..., None]).flatten(0, 1)
    constant = fitted[-1] + (of_latent[:, None] * (mean - middle[:, None])[..., None]).sum(dim=(0, 1))
    return torch.cat([weights, constant[None]])
