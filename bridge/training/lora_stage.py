"""A style, taught: a LoRA (Hu et al. 2021, arXiv:2106.09685) in a checkpoint's UNet, from an artist's own pictures.

What the UNet predicts, noise or velocity, is what it goes on to predict. Losses of noise are weighed by min-SNR-5 (Hang
et al. 2023, arXiv:2303.09556), so that no noise level outvotes the others. Latents and captions are encoded once.
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

from bridge.diffusion import DenoiseInputs, EncodedPrompts, ModelInputs, PromptEmbeds, denoise
from bridge.diffusion.architectures.unet import UNetModel
from bridge.diffusion.text_encoders.clip import encode_texts
from bridge.prompts import Fragment
from bridge.training.averages import averaged
from bridge.training.grid import save_grid
from bridge.training.lessons import Lesson, mask_somewhere

__all__ = ["LoraStage", "Wish"]

# Every linear layer of the transformer blocks and around them, as trainers have it.
TAUGHT = r".*attentions.*\.(to_q|to_k|to_v|to_out\.0|proj_in|proj_out|ff\.net\.0\.proj|ff\.net\.2)"
MOST_SNR = 5.0
# How often a caption is left out, so that guidance keeps its other side.
CAPTION_DROPOUT = 0.1
# Masks of each picture for a UNet of nine channels, the first over everything.
MASKS = 4
# From so many parameters on, what is between layers is computed twice rather than kept.
LARGE = 200e6


@dataclass(frozen=True)
class Wish:
    """What is asked for. ``alpha`` over ``rank`` scales what is learnt; ``batch`` pictures make a step."""

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
class _Plane:
    """A lesson in latents: (1, c, h, w); how much each counts (1, 1, h, w); for nine channels (masks, 5, h, w)."""

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
        return {"loss": (each * self._importance(signal.flatten())).mean()}

    def _target(self, latents: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
        if self._prediction == "epsilon":
            return noise
        if self._prediction == "sample":
            return latents
        return signal.sqrt() * noise - (1 - signal).sqrt() * latents

    def _importance(self, signal: Tensor) -> Tensor:
        if self._prediction != "epsilon":
            return torch.ones_like(signal)
        ratio = signal / (1 - signal)
        return ratio.clamp(max=MOST_SNR) / ratio


class LoraStage:
    """Trains a LoRA in the model's UNet. What it needs of the other parts it takes at once, and lets go of them."""

    def __init__(self, model: UNetModel, lessons: Sequence[Lesson], wish: Wish, *, check: Callable[[], None]) -> None:
        """``check`` is called before each picture is encoded, and may raise."""
        self._wish = wish
        self._text = _encoded_captions(model, lessons)
        rng = np.random.default_rng(wish.seed)
        self._planes = [_plane(model, lesson, rng, check=check) for lesson in lessons]
        # The VAE stays, for samples; captions are all encoded.
        self.model = replace(model, text_encoders=())
        unet = model.unet
        torch.manual_seed(wish.seed)
        # peft takes fractions of alpha, too, whatever its types say.
        alpha: Any = wish.alpha
        unet.add_adapter(LoraConfig(r=wish.rank, lora_alpha=alpha, target_modules=TAUGHT, init_lora_weights="gaussian"))
        for parameter in unet.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        if sum(parameter.numel() for parameter in unet.parameters()) > LARGE:
            unet.enable_gradient_checkpointing()
            unet.train()
        self.module: nn.Module = _Losses(self.model)

    def batch(self, step: int, process: int) -> dict[str, Tensor]:
        batches = self._batches_of_epoch(step // self._batches_an_epoch, process)
        chosen = [self._planes[index] for index in batches[step % self._batches_an_epoch]]
        rng = np.random.default_rng((self._wish.seed, step, process))
        texts = [self._text["" if rng.random() < CAPTION_DROPOUT else plane.caption] for plane in chosen]
        latents = torch.cat([plane.latents for plane in chosen])
        made = {
            "latents": latents,
            "weights": torch.cat([plane.weights for plane in chosen]),
            "states": torch.cat([text.embeds for text in texts]),
            "noise": torch.from_numpy(rng.standard_normal(latents.shape, np.float32)),
            "timesteps": torch.from_numpy(rng.integers(0, 1000, len(chosen))),
        }
        masked = [plane.conditions[int(rng.integers(MASKS))][None] for plane in chosen if plane.conditions is not None]
        if masked:
            made["conditions"] = torch.cat(masked)
        pooled = [text.pooled for text in texts if text.pooled is not None]
        if pooled:
            made["pooled"] = torch.cat(pooled)
        return made

    @property
    def _batches_an_epoch(self) -> int:
        return sum(math.ceil(len(group) / self._wish.batch) for group in self._groups())

    def _groups(self) -> list[list[int]]:
        """The pictures of each size: only these fit into one batch."""
        groups: dict[Any, list[int]] = {}
        for index, plane in enumerate(self._planes):
            groups.setdefault(plane.latents.shape, []).append(index)
        return list(groups.values())

    def _batches_of_epoch(self, epoch: int, process: int) -> list[list[int]]:
        """Every picture once, in an order that the seed and the epoch alone decide."""
        rng = np.random.default_rng((self._wish.seed, epoch, process, 1))
        size = self._wish.batch
        batches: list[list[int]] = []
        for group in self._groups():
            order = [group[at] for at in rng.permutation(len(group))]
            batches += [order[at : at + size] for at in range(0, len(order), size)]
        return [batches[at] for at in rng.permutation(len(batches))]

    @torch.no_grad()
    def samples(self, averages: dict[str, Tensor], path: Path) -> None:
        """The first picture's caption, painted without what has been learnt, and with it."""
        unet = self.model.unet
        unet.disable_adapters()
        before = self._painted()
        unet.enable_adapters()
        with averaged(self.module, averages):
            after = self._painted()
        save_grid(torch.cat([before, after]), path, columns=2)

    def _painted(self) -> Tensor:
        model, plane = self.model, self._planes[0]
        card = model.checkpoint.card
        _, _, height, width = plane.latents.shape
        whole = None if plane.conditions is None else plane.conditions[:1]
        inputs = DenoiseInputs(
            size=(height, width),
            prompts=EncodedPrompts(self._text[plane.caption], self._text[""]),
            sampler=card.default_sampler,
            steps=card.default_steps,
            guidance=card.default_guidance,
            strength=1.0,
            mask=None if whole is None else whole[:, :1],
            masked_image_latents=None if whole is None else whole[:, 1:],
        )
        [latents] = denoise(
            model, inputs, [self._wish.seed], check=_go_on, progress=lambda _: None, preview=lambda *_: None
        )
        rgb = torch.from_numpy(model.decode(latents))
        return rgb.permute(2, 0, 1)[None] * 2 - 1


def _encoded_captions(model: UNetModel, lessons: Sequence[Lesson]) -> dict[str, PromptEmbeds]:
    """The states of every caption, and of none, all equally long; captions are words, not prompts with weights."""
    captions = list(dict.fromkeys(["", *(lesson.caption for lesson in lessons)]))
    texts = [((Fragment(caption),),) if caption else () for caption in captions]
    encoded = encode_texts(model.text_encoders, texts, model)
    text = {caption: _on_cpu(embeds) for caption, (embeds, _) in zip(captions, encoded, strict=True)}
    if model.checkpoint.force_zeros_for_empty_prompt:
        text[""] = text[""].zeros()
    return text


def _on_cpu(text: PromptEmbeds) -> PromptEmbeds:
    return PromptEmbeds(text.embeds.cpu(), None if text.pooled is None else text.pooled.cpu())


def _plane(model: UNetModel, lesson: Lesson, rng: np.random.Generator, *, check: Callable[[], None]) -> _Plane:
    rgb = lesson.pixels.astype(np.float32) / 255
    check()
    latents = model.encode(rgb).cpu()
    coverage = torch.from_numpy(lesson.coverage.astype(np.float32) / 255)[None, None]
    weights = interpolate(coverage, size=latents.shape[2:], mode="area")
    conditions = None
    if model.checkpoint.inpaint:
        height, width = lesson.size
        masks = [np.ones((height, width), np.float32)]
        masks += [mask_somewhere(rng, height, width).astype(np.float32) for _ in range(MASKS - 1)]
        masked = [_conditions(model, rgb, mask, check=check) for mask in masks]
        conditions = torch.cat(masked)
    return _Plane(latents, weights, conditions, lesson.caption)


def _conditions(model: UNetModel, rgb: np.ndarray, mask: np.ndarray, *, check: Callable[[], None]) -> Tensor:
    """The mask and the masked picture's latents, (1, 5, h, w): grey under the mask, as the stock pipeline makes it."""
    hidden = np.where(mask[..., None] > 0, np.float32(0.5), rgb)
    check()
    latents = model.encode(hidden).cpu()
    hole = interpolate(torch.from_numpy(mask)[None, None], size=latents.shape[2:], mode="nearest")
    return torch.cat([hole, latents], 1)


def _go_on() -> None:
    """Samples are painted to their end."""
