"""The first stage: an autoencoder that maps pixels to an eightfold smaller plane of four channels and back.

Rombach et al. 2022 (arXiv:2112.10752), section 3.1, with L1 + LPIPS + a small KL and no discriminator.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn

from .compose import background, compose, step_generator
from .lpips import Lpips
from .mini_dataset import Cutout, Photograph
from .samples import averaged_weights, save_grid

__all__ = ["AutoencoderStage", "new_autoencoder", "picture_for_autoencoder", "to_tensor"]


def new_autoencoder(channels: tuple[int, ...]) -> AutoencoderKL:
    """A fresh autoencoder. One norm group: two channels a group stall it. Its variance begins small, at exp(-5)."""
    autoencoder = AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=1,
        mid_block_add_attention=False,
        sample_size=256,
        force_upcast=False,
    )
    with torch.no_grad():
        autoencoder.quant_conv.bias[4:] = -5.0
        autoencoder.quant_conv.weight[4:] *= 0.1
    return autoencoder.to(memory_format=torch.channels_last)


def to_tensor(pictures: np.ndarray) -> Tensor:
    """(n, h, w, 3) uint8 to (n, 3, h, w) float in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


class _Losses(nn.Module):
    def __init__(self, autoencoder: AutoencoderKL, lpips: Lpips, lpips_weight: float, kl_weight: float) -> None:
        super().__init__()
        self.autoencoder, self.lpips = autoencoder, lpips
        self.lpips_weight, self.kl_weight = lpips_weight, kl_weight

    def forward(self, pictures: Tensor, noise: Tensor) -> dict[str, Tensor]:
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        posterior = self.autoencoder.encode(pictures).latent_dist
        decoded = self.autoencoder.decode(posterior.mean + posterior.std * noise).sample
        absolute = (decoded.float() - pictures).abs().mean()
        perceptual = self.lpips(decoded, pictures).mean()
        kl = posterior.kl().float().mean() / noise[0].numel()
        loss = absolute + self.lpips_weight * perceptual + self.kl_weight * kl
        return {"loss": loss, "l1": absolute.detach(), "lpips": perceptual.detach(), "kl": kl.detach()}


def picture_for_autoencoder(
    rng: np.random.Generator, size: int, cutouts: list[Cutout], named: list[Cutout], photographs: list[Photograph]
) -> np.ndarray:
    """One picture (size, size, 3) uint8: a named thing, any other thing, or a background alone, at any scale."""
    behind = background(rng, size, photographs)
    kind = rng.random()
    if kind > 0.75:
        return behind
    among = named if kind < 0.45 else cutouts
    side = size * np.exp(rng.uniform(np.log(0.5), np.log(1.6)))
    centre = tuple(rng.uniform(0.25, 0.75, 2) * size)
    return compose(rng, behind, among[rng.integers(len(among))], centre, side, rng.uniform(-20, 20)).picture


class AutoencoderStage:
    """Trains an autoencoder in phases of (steps, size, batch): small crops first, then larger.

    With ``decoder_only`` the encoder stays as it is, and with it every latent that a denoiser was trained on.
    """

    def __init__(
        self,
        autoencoder: AutoencoderKL,
        lpips: Lpips,
        *,
        cutouts: list[Cutout],
        named: list[Cutout],
        photographs: list[Photograph],
        phases: list[tuple[int, int, int]],
        seed: int = 0,
        lpips_weight: float = 0.5,
        kl_weight: float = 2e-4,
        decoder_only: bool = False,
    ) -> None:
        if decoder_only:
            autoencoder.requires_grad_(False)
            autoencoder.decoder.requires_grad_(True)
        self.module = _Losses(autoencoder, lpips, lpips_weight, kl_weight)
        self.cutouts, self.named, self.photographs = cutouts, named, photographs
        self.phases, self.seed = phases, seed

    def batch(self, step: int, process: int) -> dict[str, Tensor]:
        size, count = self._phase(step)
        rng = step_generator(self.seed, step, process)
        pictures = np.stack([self._picture(rng, size) for _ in range(count)])
        noise = torch.from_numpy(rng.standard_normal((count, 4, size // 8, size // 8), np.float32))
        return {"pictures": to_tensor(pictures), "noise": noise}

    def _picture(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return picture_for_autoencoder(rng, size, self.cutouts, self.named, self.photographs)

    def _phase(self, step: int) -> tuple[int, int]:
        for steps, size, count in self.phases:
            if step < steps:
                return size, count
            step -= steps
        return self.phases[-1][1:]

    @torch.no_grad()
    def samples(self, averages: dict[str, Tensor], path: Path) -> None:
        """Eight pictures above, their round trips below."""
        rng = step_generator(self.seed + 1, 0)
        pictures = to_tensor(np.stack([self._picture(rng, 128) for _ in range(8)]))
        autoencoder = self.module.autoencoder
        with averaged_weights(self.module, averages):
            decoded = autoencoder.decode(autoencoder.encode(pictures).latent_dist.mode()).sample
        save_grid(torch.cat([pictures, decoded]), path, columns=8)
        noise = (decoded.clamp(-1, 1) - pictures).square().mean((1, 2, 3)) / 4
        print(f"samples: {path}  {float(-10 * noise.log10().mean()):.2f} dB", flush=True)
