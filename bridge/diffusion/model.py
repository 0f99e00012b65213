"""What the denoising loop and the painter know of a model: `LatentModel`, and what goes in and comes out of it.

Latents are (n, channels, h, w) at the model's own scale, of about unit variance when pure noise. A *plane* is one whole
picture in latents; a *tile* is a rectangle of it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.functional import adaptive_max_pool2d

from ..models import Checkpoint, Embedding, Lora
from .device import Device
from .prompt_embeds import EncodedPrompts, PromptEmbeds, Regional, only_seen
from .schedules import NoiseSchedule

__all__ = [
    "Conditioner",
    "Effect",
    "EncodedPrompts",
    "KeptFeatures",
    "LatentModel",
    "MaskInput",
    "ModelInputs",
    "PredictFn",
    "PromptEmbeds",
    "Regional",
    "TakesEmbeddings",
    "TakesReferences",
    "WeightedConditioner",
    "WeightedLora",
    "embeddings_of",
    "pooled_mask",
    "within",
]


@dataclass(frozen=True)
class WeightedLora:
    """A LoRA and its strength, which may be negative; 0 is without."""

    lora: Lora
    strength: float

    @property
    def key(self) -> tuple[str, float]:
        """What tells it from others: its content, and its strength."""
        return self.lora.hash, self.strength


class MaskInput(Enum):
    """How a model is told what to repaint."""

    BLEND = "blend"
    """Not at all: outside the mask its latents are held to those of the picture (differential diffusion)."""

    CHANNELS = "channels"
    """By further input channels: the mask, and the latents of the picture with the mask's inside blanked."""

    REFERENCE = "reference"
    """By the latents of the picture as reference tokens, but for those of the mask's inside, and by blending."""

    MARKED_REFERENCE = "marked_reference"
    """The same, by those of the whole picture, in which the mask's inside is painted green."""

    @property
    def blends(self) -> bool:
        """Whether the latents are held to the picture's outside the mask."""
        return self is not MaskInput.CHANNELS

    def sees_picture(self, blank: np.ndarray) -> bool:
        """Whether the model is given latents of a picture, of which `blank` (h, w) is repainted, beside the others.

        Of a reference there is nothing to see there, so one that is blank all over is not given.
        """
        return self is MaskInput.CHANNELS or (self is not MaskInput.BLEND and not blank.all())


class Effect(Protocol):
    """What a guide adds to a prediction, in a form that some architectures take."""

    def weighted(self, strength: float, mask: torch.Tensor | None) -> "Effect":
        """This, as strong as that, where the mask (1, 1, h, w), 0..1, in pixels of what is looked at, says."""


class Conditioner(Protocol):
    """A guide, prepared for one plane: a ControlNet or the like, and the picture that it is shown."""

    def crop(self, rows: slice, columns: slice) -> "Conditioner":
        """That for a part of the plane, in pixels."""

    def apply(self, inputs: "ModelInputs", added: Mapping[str, torch.Tensor]) -> Effect:
        """What it adds at one step, at full strength everywhere.

        `added` is what the architecture conditions on beside text, as diffusers' `added_cond_kwargs`.
        """


@dataclass(frozen=True)
class WeightedConditioner:
    """A guide with its strength, range and mask.

    It acts in the steps that lie whole within `start`..`end`, shares of all; `mask` (1, 1, h, w), 0..1, says where, in
    the plane's pixels; None: everywhere.
    """

    conditioner: Conditioner
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mask: torch.Tensor | None = None

    def crop(self, rows: slice, columns: slice) -> "WeightedConditioner":
        """That for a part of the plane, in pixels."""
        mask = None if self.mask is None else self.mask[..., rows, columns]
        return replace(self, conditioner=self.conditioner.crop(rows, columns), mask=mask)

    def acts(self, step: int, steps: int) -> bool:
        """Whether it acts in that step, from 0, of so many."""
        return self.strength > 0 and within(self.start, self.end, step, steps)

    def effect(self, inputs: "ModelInputs", added: Mapping[str, torch.Tensor]) -> Effect:
        """What it adds at one step."""
        return self.conditioner.apply(inputs, added).weighted(self.strength, self.mask)


def within(start: float, end: float, step: int, steps: int) -> bool:
    """Whether that step, from 0, of so many lies whole within `start`..`end`, shares of all."""
    return start <= step / steps and (step + 1) / steps <= end


class KeptFeatures(Protocol):
    """What a denoiser may keep of one prediction for the next."""

    def kept(self, blocks: Iterable[nn.Module]) -> AbstractContextManager[None]:
        """Meanwhile these blocks' outputs are kept, or given again without being computed."""


@dataclass(frozen=True)
class ModelInputs:
    """What a model predicts from at one step.

    `latents` (n, c, h, w) are scaled as the sampler's `model_input` has them; `timestep` is what the schedule calls
    this noise level. `guidance` matters to models with `guidance_embeds` alone. `mask` (1, k, h, w) is what
    `encode_mask` made, `masked_image_latents` (1, c, h, w) what `encode` made of the picture, both
    for models that see it; a reference may be left out, and one without a mask is looked at everywhere. A model that
    has inner blocks to spare lets `features` keep their outputs. The first `unconditional` of the batch are without the
    prompt. `regions` are prompts that count in a part of the plane, each with its share (1, 1, h, w) of every latent,
    1 together at most; `prompt` has what they leave. They are for families that take them.
    """

    latents: torch.Tensor
    timestep: float | torch.Tensor
    prompt: PromptEmbeds
    guidance: float = 1.0
    mask: torch.Tensor | None = None
    masked_image_latents: torch.Tensor | None = None
    conditioners: Sequence[WeightedConditioner] = ()
    features: "KeptFeatures | None" = None
    regions: tuple[Regional[PromptEmbeds], ...] = ()
    unconditional: int = 0

    def crop(self, rows: slice, columns: slice, scale: int) -> "ModelInputs":
        """Those for a tile, in latents; `scale` pixels to each along an edge. Features are those of a whole plane."""
        pixels = [slice(one.start * scale, one.stop * scale) for one in (rows, columns)]
        prompt, regions = only_seen(self.prompt, [one.crop(rows, columns) for one in self.regions])
        return replace(
            self,
            latents=self.latents[..., rows, columns],
            mask=None if self.mask is None else self.mask[..., rows, columns],
            masked_image_latents=(
                None if self.masked_image_latents is None else self.masked_image_latents[..., rows, columns]
            ),
            conditioners=tuple(one.crop(*pixels) for one in self.conditioners),
            features=None,
            prompt=prompt,
            regions=regions,
        )


PredictFn = Callable[[ModelInputs], torch.Tensor]
"""Predicts as `LatentModel.predict` does."""


class LatentModel(Protocol):
    """A loaded checkpoint. Its architecture is behind this; nothing else asks which one it is."""

    @property
    def checkpoint(self) -> Checkpoint:
        """What is known of it without loading."""

    @property
    def device(self) -> Device:
        """What it computes on, and in which precision."""

    @property
    def loras(self) -> tuple[WeightedLora, ...]:
        """The LoRAs that are set, of a strength that is not 0."""

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """What of it takes memory, by the names of a diffusers folder's parts."""

    @property
    def latent_channels(self) -> int:
        """Channels of a latent plane, after any patchification."""

    @property
    def pixels_per_latent(self) -> int:
        """Pixels per latent along an edge, after any patchification: 8, 16 or 32."""

    @property
    def mask_input(self) -> MaskInput:
        """How it is told what to repaint."""

    @property
    def effects(self) -> tuple[type[Effect], ...]:
        """The forms of `Effect` that `predict` applies: which guides it takes."""

    @property
    def guidance_embeds(self) -> bool:
        """Whether it is told the guidance and asked once, and not asked with and without the prompt."""

    @property
    def inner_blocks(self) -> Sequence[nn.Module]:
        """Blocks whose outputs change little from step to step, so that `ModelInputs.features` may keep them."""

    @property
    def latent_to_rgb(self) -> torch.Tensor:
        """The linear map that previews are made with, (latent channels + 1, 3), for colours 0..1."""

    def configured(
        self, checkpoint: Checkpoint, loras: tuple[WeightedLora, ...], *, check: Callable[[], None]
    ) -> "LatentModel":
        """This model with just these LoRAs set, and the card of `checkpoint`, which is the same one in another place.

        `check` may raise to end the loading of LoRAs. Raises LoraUnreadable and LoraUnsupported.
        """

    def schedule(self, size: tuple[int, int], steps: int) -> NoiseSchedule:
        """The noise schedule for planes of that size, (h, w) in latents, and so many steps: both may shift it."""

    def encode_prompts(self, positive: str, negative: str, *, guided: bool = True) -> EncodedPrompts:
        """Both prompts, whose words may have weights. A hint names the words that do not fit.

        `guided` says whether the negative one will be looked at; where not, an architecture whose text encoder takes
        its time may give the positive one in its place. Raises ModelNotFinite.
        """

    def encode(self, rgb: np.ndarray) -> torch.Tensor:
        """A picture (h, w, 3), 0..1, edges multiples of `pixels_per_latent`, as latents (1, c, h', w'), float32.

        The same pixels always give the same latents. Raises ModelNotFinite.
        """

    def decode(self, latents: torch.Tensor) -> np.ndarray:
        """Latents (1, c, h, w) as a picture (h', w', 3), float32, 0..1. Raises ModelNotFinite."""

    def encode_mask(self, mask: np.ndarray) -> torch.Tensor:
        """A mask (h, w) of pixels, 0 or 1, as this model takes it beside latents: (1, k, h', w')."""

    def predict(self, inputs: ModelInputs) -> torch.Tensor:
        """What the denoiser predicts, (n, c, h, w), in the terms of the schedule."""


class TakesEmbeddings(LatentModel, Protocol):
    """A model whose text encoders read textual inversions. Those of a job are of its family."""

    @property
    def embeddings(self) -> tuple[Embedding, ...]:
        """The textual inversions whose names stand for them in prompts."""

    def with_embeddings(self, embeddings: tuple[Embedding, ...], *, check: Callable[[], None]) -> LatentModel:
        """This model with just these, of which the first of a name counts. `check` may raise to end the reading.

        Raises CheckpointUnreadable for a file that is broken.
        """


class TakesReferences(LatentModel, Protocol):
    """A model that is shown references without an adapter: those of families whose `own_kinds` say so."""

    def reference(self, rgb: np.ndarray, index: int) -> Conditioner:
        """A picture as `encode` takes it, of any size, as the guide of that number, from 0."""


def embeddings_of(model: LatentModel) -> tuple[Embedding, ...]:
    """The textual inversions that its prompts may name; none where it takes none."""
    found: tuple[Embedding, ...] = getattr(model, "embeddings", ())
    return found


def pooled_mask(mask: np.ndarray, scale: int) -> torch.Tensor:
    """A mask (h, w) of pixels as (1, 1, h', w') of latents: each the greatest of its pixels, so that none is lost."""
    size = (mask.shape[0] // scale, mask.shape[1] // scale)
    return adaptive_max_pool2d(torch.from_numpy(np.ascontiguousarray(mask, np.float32))[None, None], size)
