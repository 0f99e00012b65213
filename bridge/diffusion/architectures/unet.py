"""Stable Diffusion 1, 2 and XL: a UNet that attends to CLIP's states, and a KL autoencoder.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models"; Podell et al. 2023, "SDXL". What
differs between these families is told by their facts (`bridge.models.families`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from torch import nn

from ...models import Checkpoint, CheckpointUnsupported, Embedding, Family
from ...prompts import read_text
from ..autoencoder import decode_latents, encode_picture, picture_of
from ..conditioning.ip_adapter import AttendedImage, attending
from ..conditioning.residuals import Residuals, summed_residuals
from ..device import Device
from ..finite import ModelStep, check_finite
from ..loading import ModuleLoader
from ..lora import Adapters
from ..model import Effect, EncodedPrompts, MaskInput, ModelInputs, WeightedLora, pooled_mask
from ..preview import fit_latent_to_rgb
from ..regional_attention import mixed_pooled, regional_cross_attention
from ..schedules import VariancePreservingSchedule
from ..text_encoders.clip import ClipTextEncoder, clip_tokenizer, encode_texts
from ..text_encoders.embeddings import read_embeddings
from ..text_encoders.hints import prompt_hints
from ..weights import weights_of
from .unet_names import original_names

__all__ = ["UNetModel", "load", "part_classes"]


@dataclass(frozen=True)
class UNetModel:
    """A loaded checkpoint of the Stable Diffusion line (`bridge.diffusion.LatentModel`).

    `adapters` are the LoRAs in memory, `loras` those that are set until the cache is asked for the checkpoint again.
    `embeddings` are the textual inversions that prompts may name, `embedding_hints` tell of those that do not fit.
    """

    checkpoint: Checkpoint
    device: Device
    text_encoders: tuple[ClipTextEncoder, ...]
    unet: Any
    vae: Any
    scheduler_config: dict[str, Any]
    latent_to_rgb: torch.Tensor
    adapters: Adapters
    loras: tuple[WeightedLora, ...] = ()
    embeddings: tuple[Embedding, ...] = ()
    embedding_hints: tuple[str, ...] = ()

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """As `LatentModel.modules`."""
        texts = {encoder.part.encoder: encoder.module for encoder in self.text_encoders}
        return {"unet": self.unet, "vae": self.vae, **texts}

    @property
    def latent_channels(self) -> int:
        """As `LatentModel.latent_channels`."""
        return int(self.vae.config.latent_channels)

    @property
    def pixels_per_latent(self) -> int:
        """As `LatentModel.pixels_per_latent`."""
        return self.checkpoint.family.pixels_per_latent

    @property
    def mask_input(self) -> MaskInput:
        """By nine channels (latents, mask, masked picture), or by blending alone."""
        return MaskInput.CHANNELS if self.checkpoint.inpaint else MaskInput.BLEND

    @property
    def effects(self) -> tuple[type[Effect], ...]:
        """What ControlNets add, and the references that IP-Adapters look at."""
        return (Residuals, AttendedImage)

    @property
    def guidance_embeds(self) -> bool:
        """Whether the UNet is told the guidance (LCM)."""
        return getattr(self.unet.config, "time_cond_proj_dim", None) is not None

    @property
    def inner_blocks(self) -> Sequence[nn.Module]:
        """All but the outermost, at the plane's own size: there the details are that change with each step."""
        return (*self.unet.down_blocks[1:], self.unet.mid_block, *self.unet.up_blocks[:-1])

    def schedule(self, size: tuple[int, int], steps: int) -> VariancePreservingSchedule:  # noqa: ARG002
        """The same for planes of every size."""
        return VariancePreservingSchedule(self.scheduler_config)

    def configured(
        self, checkpoint: Checkpoint, loras: tuple[WeightedLora, ...], *, check: Callable[[], None]
    ) -> "UNetModel":
        """As `LatentModel.configured`."""
        self.adapters.set_adapters(loras, check=check)
        return replace(self, checkpoint=checkpoint, loras=tuple(one for one in loras if one.strength))

    def with_embeddings(self, embeddings: tuple[Embedding, ...], *, check: Callable[[], None]) -> "UNetModel":
        """As `TakesEmbeddings.with_embeddings`."""
        encoders = {encoder.part.encoder: encoder for encoder in self.text_encoders}
        modules = {part: encoder.module for part, encoder in encoders.items()}
        read = read_embeddings(embeddings, modules, title=self.checkpoint.id, check=check)
        with_them = tuple(replace(encoder, embeddings=read.of_part.get(part, {})) for part, encoder in encoders.items())
        return replace(self, text_encoders=with_them, embeddings=embeddings, embedding_hints=read.hints)

    def encode_prompts(self, positive: str, negative: str, *, guided: bool = True) -> EncodedPrompts:  # noqa: ARG002
        """As `LatentModel.encode_prompts`. Both are always read, since each is as long as the longer one."""
        (with_it, lost), (without, negative_lost) = encode_texts(
            self.text_encoders, [read_text(positive), read_text(negative)], self
        )
        if self.checkpoint.force_zeros_for_empty_prompt and not negative.strip():
            without = with_it.zeros()
        hints = prompt_hints(lost, negative_lost, negative=negative, guidance_embeds=self.guidance_embeds)
        return EncodedPrompts(with_it, without, (*self.embedding_hints, *hints))

    def encode(self, rgb: np.ndarray) -> torch.Tensor:
        """As `LatentModel.encode`."""
        latents = encode_picture(self.vae, rgb, self.device.torch_device)
        check_finite(latents, ModelStep.VAE, self)
        return latents

    def decode(self, latents: torch.Tensor) -> np.ndarray:
        """As `LatentModel.decode`."""
        pixels = decode_latents(self.vae, latents)[0]
        check_finite(pixels, ModelStep.VAE, self)
        return picture_of(pixels)

    def encode_mask(self, mask: np.ndarray) -> torch.Tensor:
        """One channel; what is masked in part of a latent's pixels is masked."""
        return pooled_mask(mask, self.pixels_per_latent)

    def predict(self, inputs: ModelInputs) -> torch.Tensor:
        """As `LatentModel.predict`. Raises ValueError where nine channels lack the mask or the masked picture."""
        latents, prompt = inputs.latents, inputs.prompt
        options: dict[str, Any] = {"encoder_hidden_states": prompt.embeds}
        added: dict[str, torch.Tensor] = {}
        if self.guidance_embeds:
            wave = _guidance_wave(inputs.guidance, self.unet.config.time_cond_proj_dim)
            options["timestep_cond"] = wave.to(latents).expand(len(latents), -1)
        if self.checkpoint.family.uses_time_ids:
            pooled = mixed_pooled(prompt, inputs.regions)
            assert pooled is not None
            time_ids = self._time_ids(latents).to(prompt.embeds).expand(len(latents), -1)
            added = {"text_embeds": pooled, "time_ids": time_ids}
            options["added_cond_kwargs"] = added
        effects = [one.effect(inputs, added) for one in inputs.conditioners]
        images = [one for one in effects if isinstance(one, AttendedImage)]
        residuals = [one for one in effects if not isinstance(one, AttendedImage)]
        if residuals:
            down, middle = summed_residuals(residuals)
            options |= {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        features = nullcontext() if inputs.features is None else inputs.features.kept(self.inner_blocks)
        with attending(self.unet, images, inputs), regional_cross_attention(self.unet, inputs.regions), features:
            prediction: torch.Tensor = self.unet(
                self._with_mask(inputs), inputs.timestep, return_dict=False, **options
            )[0]
        return prediction

    def _with_mask(self, inputs: ModelInputs) -> torch.Tensor:
        """The latents, with the five channels of an inpainting UNet."""
        if self.mask_input is not MaskInput.CHANNELS:
            return inputs.latents
        if inputs.mask is None or inputs.masked_image_latents is None:
            raise ValueError("an inpainting UNet needs the mask and the masked picture's latents")
        beside = [one.to(inputs.latents) for one in (inputs.mask, inputs.masked_image_latents)]
        count = len(inputs.latents)
        return torch.cat([inputs.latents, *(one.expand(count, -1, -1, -1) for one in beside)], dim=1)

    def _time_ids(self, latents: torch.Tensor) -> torch.Tensor:
        """Original size, crop's corner and target size in pixels ("SDXL", section 2.2): (1, 6).

        The plane is said to be whole and uncropped, and never larger than the checkpoint's native size: larger planes
        are looked at in tiles of about that size.
        """
        scale = self.pixels_per_latent
        height, width = latents.shape[-2] * scale, latents.shape[-1] * scale
        shrink = min(1.0, (self.checkpoint.card.native_pixels / (height * width)) ** 0.5)
        height, width = round(height * shrink), round(width * shrink)
        return torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32)


def _guidance_wave(guidance: float, width: int) -> torch.Tensor:
    """Luo et al. 2023, "Latent Consistency Models": the guidance above 1 as sines and cosines, (1, width)."""
    half = width // 2
    rates = torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
    angles = (guidance - 1) * 1000 * rates
    return torch.cat([angles.sin(), angles.cos()])[None]


def part_classes(family: Family) -> dict[str, Any]:
    """The classes of the parts that have weights, by their names in a diffusers folder."""
    classes: dict[str, Any] = {
        text.encoder: transformers.CLIPTextModelWithProjection if text.pooled else transformers.CLIPTextModel
        for text in family.texts
    }
    return {**classes, "vae": diffusers.AutoencoderKL, "unet": diffusers.UNet2DConditionModel}


def load(checkpoint: Checkpoint, loader: ModuleLoader) -> UNetModel:
    """The checkpoint's parts, each by `loader`.

    Raises CheckpointUnreadable where a part's weights do not fit its config, CheckpointUnsupported for a clip skip that
    a text encoder has no layer for, and ModelNotFinite where the VAE decodes to no numbers.
    """
    weights = weights_of(checkpoint, check=loader.check)
    tokenizers = {text.encoder: clip_tokenizer(weights, text) for text in checkpoint.family.texts}
    # What its inspection told of it comes first.
    told = {"prediction_type": checkpoint.prediction, "rescale_betas_zero_snr": checkpoint.zero_terminal_snr}
    scheduler_config = {**weights.scheduler_config(), **told}
    modules: dict[str, Any] = {}
    for part, kind in part_classes(checkpoint.family).items():
        dtype = torch.float32 if part == "vae" else loader.device.torch_dtype
        modules[part] = loader(
            partial(weights.part, part, kind, dtype),
            content=partial(weights.content, part, check=loader.check),
            dtype=dtype,
            denoiser=part == "unet",
        )
        _check_layers(checkpoint, modules[part].config)
    loader.check()
    encoders = tuple(
        ClipTextEncoder(
            text,
            tokenizers[text.encoder],
            modules[text.encoder],
            loader.device.torch_device,
            checkpoint.layers_skipped,
        )
        for text in checkpoint.family.texts
    )
    vae = modules["vae"]
    model = UNetModel(
        checkpoint=checkpoint,
        device=loader.device,
        text_encoders=encoders,
        unet=modules["unet"],
        vae=vae,
        scheduler_config=scheduler_config,
        latent_to_rgb=fit_latent_to_rgb(lambda latents: _decoded(vae, latents), int(vae.config.latent_channels)),
        adapters=Adapters(
            {name: module for name, module in modules.items() if name != "vae"},
            loader.device,
            title=checkpoint.id,
            originals=original_names(modules["unet"]),
        ),
    )
    # Before minutes are spent on latents that it could not decode.
    check_finite(model.latent_to_rgb, ModelStep.VAE, model)
    return model


def _decoded(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    device, dtype = next(vae.parameters()).device, next(vae.parameters()).dtype
    pixels: torch.Tensor = vae.decode((latents / vae.config.scaling_factor).to(device, dtype)).sample
    return pixels


def _check_layers(checkpoint: Checkpoint, config: Any) -> None:
    layers = getattr(config, "num_hidden_layers", None)
    if layers is not None and checkpoint.layers_skipped >= layers - 1:
        raise CheckpointUnsupported(
            "{id} has clip_skip {clip_skip}, but a text encoder of {layers} layers.",
            hint="Set a lower clip_skip in checkpoints.toml (docs/checkpoints.md).",
            id=checkpoint.id,
            clip_skip=checkpoint.clip_skip,
            layers=layers,
        )
