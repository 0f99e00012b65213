"""The stage that trains a LoRA (Hu et al. 2021, arXiv:2106.09685) of a checkpoint's UNet on a user's own images.

The target is what the UNet predicts, noise or velocity. Losses of noise are weighted by min-SNR-5 (Hang et al. 2023,
arXiv:2303.09556), so that no noise level outweighs the others. Latents and captions are encoded once.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from peft import LoraConfig
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..diffusion import DenoiseInputs, EncodedPrompts, ModelInputs, PromptEmbeds, denoise
from ..diffusion.architectures.unet import UNetModel
from ..diffusion.text_encoders.clip import encode_texts
from ..prompts import Fragment
from .dataset import TrainingImage, random_mask
from .samples import averaged_weights, save_grid

__all__ = ["LoraParams", "LoraStage"]

# Every linear layer of the transformer blocks and around them, as in kohya's trainer.
TARGET_MODULES = r".*attentions.*\.(to_q|to_k|to_v|to_out\.0|proj_in|proj_out|ff\.net\.0\.proj|ff\.net\.2)"
MOST_SNR = 5.0
# How often a caption is dropped, so that classifier-free guidance keeps working.
CAPTION_DROPOUT = 0.1
# Masks of each image for a UNet of nine channels, the first over everything.
MASKS = 4
# From so many parameters on, activations are recomputed in the backward pass (gradient checkpointing).
LARGE = 200e6


@dataclass(frozen=True)
class LoraParams:
    """The parameters of a training. The update is scaled by ``alpha`` over ``rank``; ``batch`` images make a step."""

    name: str
    caption: str = ""
    rank: int = 16
    alpha: float = 16.0
    resolution: int = 512
    steps: int = 1000
    learning_rate: float = 1e-4
    batch: int = 1
    seed: int = 0


@dataclass(frozen=True)
class _EncodedImage:
    """Latents (1, c, h, w), their weights in the loss (1, 1, h, w); conditions of nine channels (masks, 5, h, w)."""

    latents: Tensor
    weights: Tensor
    conditions: Tensor | None
    caption: str


class _Losses(nn.Module):
    def __init__(self, model: UNetModel) -> None:
        super().__init__()
        self.unet = model.unet
        self._model = model
        kind: Any = diffusers.DDIMScheduler
        self.signal: Tensor
        self.register_buffer("signal", kind.from_config(model.scheduler_config).alphas_cumprod.float())
        self._prediction = model.scheduler_config.get("prediction_type", "epsilon")

    def forward(
        self,
        latents: Tensor,
        weights: Tensor,
        states: Tensor,
        noise: Tensor,
        timesteps: Tensor,
        conditions: Tensor | None = None,
        pooled: Tensor | None = None,
    ) -> dict[str, Tensor]:
        signal = self.signal[timesteps][:, None, None, None]
        noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
        dtype = self._model.device.torch_dtype
        inputs = ModelInputs(
            latents=noisy.to(dtype),
            timestep=timesteps,
            prompt=PromptEmbeds(states.to(dtype), None if pooled is None else pooled.to(dtype)),
            mask=None if conditions is None else conditions[:, :1],
            masked_image_latents=None if conditions is None else conditions[:, 1:],
        )
        predicted = self._model.predict(inputs).float()
        error = (predicted - self._target(latents, noise, signal)).square().mean(1, keepdim=True)
        each = (error * weights).sum((1, 2, 3)) / weights.sum((1, 2, 3))
        return {"loss": (each * self._snr_weights(signal.flatten())).mean()}

    def _target(self, latents: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
        if self._prediction == "epsilon":
            return noise
        if self._prediction == "sample":
            return latents
        return signal.sqrt() * noise - (1 - signal).sqrt() * latents

    def _snr_weights(self, signal: Tensor) -> Tensor:
        if self._prediction != "epsilon":
            return torch.ones_like(signal)
        ratio = signal / (1 - signal)
        return ratio.clamp(max=MOST_SNR) / ratio


class LoraStage:
    """Trains a LoRA of the model's UNet. Text encoders are released once all captions are encoded."""

    def __init__(
        self, model: UNetModel, dataset: Sequence[TrainingImage], params: LoraParams, *, check: Callable[[], None]
    ) -> None:
        """``check`` is called before each image is encoded, and may raise."""
        self._params = params
        self._text = _encoded_captions(model, dataset)
        rng = np.random.default_rng(params.seed)
        self._encoded = [_encode_image(model, image, rng, check=check) for image in dataset]
        # The VAE stays, for samples; captions are all encoded.
        self.model = replace(model, text_encoders=())
        unet = model.unet
        torch.manual_seed(params.seed)
        # peft takes fractions of alpha, too, whatever its types say.
        alpha: Any = params.alpha
        unet.add_adapter(
            LoraConfig(r=params.rank, lora_alpha=alpha, target_modules=TARGET_MODULES, init_lora_weights="gaussian")
        )
        for parameter in unet.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        if sum(parameter.numel() for parameter in unet.parameters()) > LARGE:
            unet.enable_gradient_checkpointing()
            unet.train()
        self.module: nn.Module = _Losses(self.model)

    def batch(self, step: int, process: int) -> dict[str, Tensor]:
        batches = self._batches_of_epoch(step // self._batches_an_epoch, process)
        chosen = [self._encoded[index] for index in batches[step % self._batches_an_epoch]]
        rng = np.random.default_rng((self._params.seed, step, process))
        texts = [self._text["" if rng.random() < CAPTION_DROPOUT else encoded.caption] for encoded in chosen]
        latents = torch.cat([encoded.latents for encoded in chosen])
        made = {
            "latents": latents,
            "weights": torch.cat([encoded.weights for encoded in chosen]),
            "states": torch.cat([text.embeds for text in texts]),
            "noise": torch.from_numpy(rng.standard_normal(latents.shape, np.float32)),
            "timesteps": torch.from_numpy(rng.integers(0, 1000, len(chosen))),
        }
        masked = [
            encoded.conditions[int(rng.integers(MASKS))][None] for encoded in chosen if encoded.conditions is not None
        ]
        if masked:
            made["conditions"] = torch.cat(masked)
        pooled = [text.pooled for text in texts if text.pooled is not None]
        if pooled:
            made["pooled"] = torch.cat(pooled)
        return made

    @property
    def _batches_an_epoch(self) -> int:
        return sum(math.ceil(len(group) / self._params.batch) for group in self._groups())

    def _groups(self) -> list[list[int]]:
        """The images of each size: only these fit into one batch."""
        groups: dict[Any, list[int]] = {}
        for index, encoded in enumerate(self._encoded):
            groups.setdefault(encoded.latents.shape, []).append(index)
        return list(groups.values())

    def _batches_of_epoch(self, epoch: int, process: int) -> list[list[int]]:
        """Every image once, in an order that depends on the seed and the epoch alone."""
        rng = np.random.default_rng((self._params.seed, epoch, process, 1))
        size = self._params.batch
        batches: list[list[int]] = []
        for group in self._groups():
            order = [group[at] for at in rng.permutation(len(group))]
            batches += [order[at : at + size] for at in range(0, len(order), size)]
        return [batches[at] for at in rng.permutation(len(batches))]

    @torch.no_grad()
    def samples(self, averages: dict[str, Tensor], path: Path) -> None:
        """The first image's caption, sampled without the LoRA and with it."""
        unet = self.model.unet
        unet.disable_adapters()
        before = self._sample()
        unet.enable_adapters()
        with averaged_weights(self.module, averages):
            after = self._sample()
        save_grid(torch.cat([before, after]), path, columns=2)

    def _sample(self) -> Tensor:
        model, encoded = self.model, self._encoded[0]
        card = model.checkpoint.card
        _, _, height, width = encoded.latents.shape
        whole = None if encoded.conditions is None else encoded.conditions[:1]
        inputs = DenoiseInputs(
            size=(height, width),
            prompts=EncodedPrompts(self._text[encoded.caption], self._text[""]),
            sampler=card.default_sampler,
            steps=card.default_steps,
            guidance=card.default_guidance,
            strength=1.0,
            mask=None if whole is None else whole[:, :1],
            masked_image_latents=None if whole is None else whole[:, 1:],
        )
        [latents] = denoise(
            model, inputs, [self._params.seed], check=_no_check, progress=lambda _: None, preview=lambda *_: None
        )
        rgb = torch.from_numpy(model.decode(latents))
        return rgb.permute(2, 0, 1)[None] * 2 - 1


def _encoded_captions(model: UNetModel, dataset: Sequence[TrainingImage]) -> dict[str, PromptEmbeds]:
    """The hidden states of every caption and of the empty one, all equally long; captions have no weights in them."""
    captions = list(dict.fromkeys(["", *(image.caption for image in dataset)]))
    texts = [((Fragment(caption),),) if caption else () for caption in captions]
    encoded = encode_texts(model.text_encoders, texts, model)
    text = {caption: _on_cpu(embeds) for caption, (embeds, _) in zip(captions, encoded, strict=True)}
    if model.checkpoint.force_zeros_for_empty_prompt:
        text[""] = text[""].zeros()
    return text


def _on_cpu(text: PromptEmbeds) -> PromptEmbeds:
    return PromptEmbeds(text.embeds.cpu(), None if text.pooled is None else text.pooled.cpu())


def _encode_image(
    model: UNetModel, image: TrainingImage, rng: np.random.Generator, *, check: Callable[[], None]
) -> _EncodedImage:
    rgb = image.pixels.astype(np.float32) / 255
    check()
    latents = model.encode(rgb).cpu()
    coverage = torch.from_numpy(image.coverage.astype(np.float32) / 255)[None, None]
    weights = interpolate(coverage, size=latents.shape[2:], mode="area")
    conditions = None
    if model.checkpoint.inpaint:
        height, width = image.size
        masks = [np.ones((height, width), np.float32)]
        masks += [random_mask(rng, height, width).astype(np.float32) for _ in range(MASKS - 1)]
        masked = [_conditions(model, rgb, mask, check=check) for mask in masks]
        conditions = torch.cat(masked)
    return _EncodedImage(latents, weights, conditions, image.caption)


def _conditions(model: UNetModel, rgb: np.ndarray, mask: np.ndarray, *, check: Callable[[], None]) -> Tensor:
    """The mask and the masked image's latents, (1, 5, h, w): grey under the mask, as in diffusers' pipeline."""
    hidden = np.where(mask[..., None] > 0, np.float32(0.5), rgb)
    check()
    latents = model.encode(hidden).cpu()
    resized = interpolate(torch.from_numpy(mask)[None, None], size=latents.shape[2:], mode="nearest")
    return torch.cat([resized, latents], 1)


def _no_check() -> None:
    """Samples are always painted to their end."""
