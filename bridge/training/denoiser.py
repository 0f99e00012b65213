"""The second stage: a UNet that denoises latents under a mask and a caption, and the text encoder with it.

Rombach et al. 2022, section 3.2, with Salimans and Ho's v-prediction (arXiv:2202.00512) and a schedule that ends in
pure noise (Lin et al. 2023, arXiv:2305.08891). Trained are ||v - v_theta(z_t, t, caption, mask, masked picture)||^2.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from .compose import step_generator
from .examples import NO_THING, Examples, encoded
from .samples import averaged_weights, save_grid

__all__ = ["GUIDANCE", "DenoiserStage", "blank_conditions", "new_scheduler", "new_unet", "sampled"]

# The highest at which so small a model paints clear shapes without oversaturating them.
GUIDANCE = 2.5

# Below 1 the noisier levels are drawn more often: at 0.6, 22 % of them lie in the lower 40 %.
NOISIER = 0.6

# A custom dataset may have thousands of captions.
MOST_SAMPLES = 88


def new_unet(channels: tuple[int, ...], heads: int, text_width: int) -> UNet2DConditionModel:
    """A fresh inpainting UNet: 9 channels in (noisy latents, mask, masked latents), 4 out; no attention at the top."""
    down = ("DownBlock2D", *("CrossAttnDownBlock2D",) * (len(channels) - 1))
    up = (*("CrossAttnUpBlock2D",) * (len(channels) - 1), "UpBlock2D")
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=9,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=channels,
        down_block_types=down,
        up_block_types=up,
        cross_attention_dim=text_width,
        attention_head_dim=heads,
        norm_num_groups=min(32, channels[0] // 2),
    ).to(memory_format=torch.channels_last)


def new_scheduler() -> DDIMScheduler:
    """Stable Diffusion's schedule, rescaled to end in pure noise, sampled from its end."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


class _Losses(nn.Module):
    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel, outside_weight: float) -> None:
        super().__init__()
        self.unet, self.text_encoder, self.outside_weight = unet, text_encoder, outside_weight
        self.scheduler = new_scheduler()

    def forward(self, latents: Tensor, tokens: Tensor, noise: Tensor, timesteps: Tensor) -> dict[str, Tensor]:
        target, mask, conditions, coverage = latents[:, :4], latents[:, 4:5], latents[:, 4:9], latents[:, 9:]
        noisy = self.scheduler.add_noise(target, noise, timesteps)
        velocity = self.scheduler.get_velocity(target, noise, timesteps)
        model_input = torch.cat([noisy, conditions], 1).contiguous(memory_format=torch.channels_last)
        states = self.text_encoder(tokens).last_hidden_state
        error = (self.unet(model_input, timesteps, states).sample.float() - velocity).square().mean(1, keepdim=True)
        # Never by where the thing is: weights that depend on the target make things swell into blobs.
        weight = self.outside_weight + (1 - self.outside_weight) * mask
        thing = (error * coverage).sum() / coverage.sum().clamp(min=1)
        return {"loss": (error * weight).sum() / weight.sum(), "thing": thing.detach()}


class DenoiserStage:
    """Trains a UNet and a text encoder in phases of (steps, examples, batch): ``examples`` grow in size."""

    def __init__(
        self,
        unet: UNet2DConditionModel,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        *,
        captions: list[list[str]],
        phases: list[tuple[int, Examples, int]],
        seed: int = 0,
        caption_dropout: float = 0.12,
        outside_weight: float = 0.15,
    ) -> None:
        # At these sizes plain attention is faster to train than the fused one in bfloat16 on CPUs.
        unet.set_attn_processor(AttnProcessor())
        self.module = _Losses(unet, text_encoder, outside_weight)
        self.phases, self.seed, self.caption_dropout = phases, seed, caption_dropout
        self.tokenizer, self.captions = tokenizer, captions
        self.tokens = {text: self._tokenized(text) for texts in [[""], *captions] for text in texts}

    def _tokenized(self, text: str) -> list[int]:
        length = self.tokenizer.model_max_length
        return self.tokenizer(text, padding="max_length", max_length=length, truncation=True).input_ids

    def batch(self, step: int, process: int) -> dict[str, Tensor]:
        examples, count, at = self._phase(step)
        rng = step_generator(self.seed, step, process)
        epoch, place = divmod(at * count, len(examples) - len(examples) % count)
        order = step_generator(self.seed, epoch, len(examples) + process).permutation(len(examples))
        latents, things = examples.get(order[place : place + count])
        texts = [
            "" if thing == NO_THING or rng.random() < self.caption_dropout else str(rng.choice(self.captions[thing]))
            for thing in things
        ]
        return {
            "latents": latents,
            "tokens": torch.tensor([self.tokens[text] for text in texts]),
            "noise": torch.from_numpy(rng.standard_normal(latents[:, :4].shape, np.float32)),
            "timesteps": torch.from_numpy(_timesteps(rng, count)),
        }

    def _phase(self, step: int) -> tuple[Examples, int, int]:
        for steps, examples, count in self.phases:
            if step < steps:
                return examples, count, step
            step -= steps
        last = self.phases[-1]
        return last[1], last[2], last[0] + step

    @torch.no_grad()
    def samples(self, averages: dict[str, Tensor], path: Path) -> None:
        """Text to image, one of each thing with the averaged weights, at the size of the phase."""
        first = [texts[0] for texts in self.captions[:MOST_SAMPLES]]
        examples = self._phase(int(path.stem))[0]
        with averaged_weights(self.module, averages):
            latents = sampled(
                self.module.unet,
                self.module.text_encoder,
                torch.tensor([self.tokens[text] for text in first]),
                torch.tensor([self.tokens[""]]),
                blank_conditions(examples, len(first)),
            )
        pictures = examples.autoencoder.decode(latents / examples.autoencoder.config["scaling_factor"]).sample
        columns = next(width for width in (11, 8, 7, 6, 5, 4, 3, 2, 1) if len(pictures) % width == 0)
        save_grid(pictures, path, columns)


def blank_conditions(examples: Examples, count: int) -> Tensor:
    """A mask over everything and the latents of an all-grey picture: (count, 5, h, w)."""
    grey = encoded(examples.autoencoder, torch.zeros(1, 3, examples.size, examples.size))
    return torch.cat([torch.ones_like(grey[:, :1]), grey], 1).expand(count, -1, -1, -1)


def _timesteps(rng: np.random.Generator, count: int) -> np.ndarray:
    """Stratified timesteps, one of each ``count``-th part of the noise levels: less variance than by chance.

    The noisier are drawn more often, since they decide shapes.
    """
    return np.floor(((rng.permutation(count) + rng.random(count)) / count) ** NOISIER * 1000).astype(np.int64)


@torch.no_grad()
def sampled(
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokens: Tensor,
    empty: Tensor,
    conditions: Tensor,
    *,
    steps: int = 20,
    guidance: float = GUIDANCE,
    seed: int = 0,
) -> Tensor:
    """DDIM with classifier-free guidance: (n, places) tokens and (n, 5, h, w) conditions to (n, 4, h, w) latents."""
    scheduler = new_scheduler()
    scheduler.set_timesteps(steps)
    states = text_encoder(torch.cat([empty.expand_as(tokens), tokens])).last_hidden_state
    latents = torch.randn(len(tokens), 4, *conditions.shape[2:], generator=torch.Generator().manual_seed(seed))
    for timestep in scheduler.timesteps:
        model_input = torch.cat([latents, conditions], 1).repeat(2, 1, 1, 1)
        model_input = model_input.contiguous(memory_format=torch.channels_last)
        negative, positive = unet(model_input, timestep, states).sample.chunk(2)
        latents = scheduler.step(negative + guidance * (positive - negative), timestep, latents, return_dict=False)[0]
    return latents
