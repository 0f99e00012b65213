"""Tiny seeded ControlNets for tiny Z-Images."""

from pathlib import Path

import torch
from diffusers import ZImageControlNetModel

__all__ = ["build_tiny_z_image_controlnet"]


def build_tiny_z_image_controlnet(folder: Path, *, inpaints: bool = True, seed: int = 0, speaks: float = 0.3) -> Path:
    """Writes one for `build_tiny_z_image`'s as a diffusers folder, which inpaints (version 2.1) or does not (version
    1); returns it.

    A new ControlNet's outputs are zeros; `speaks` is how large they are made instead, at random.
    """
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        net = ZImageControlNetModel(
            control_layers_places=[0, 2],
            control_refiner_layers_places=[0] if inpaints else None,
            control_in_dim=33 if inpaints else 16,
            add_control_noise_refiner="control_noise_refiner" if inpaints else None,
            dim=32,
            n_refiner_layers=1,
            n_heads=4,
            n_kv_heads=4,
        )
        for name, weight in net.named_parameters():
            if "_proj." in name:
                torch.nn.init.normal_(weight, std=speaks)
    finally:
        torch.random.set_rng_state(state)
    net.save_pretrained(folder)
    return folder
