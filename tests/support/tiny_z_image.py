"""Tiny seeded checkpoints of Z-Image: the real classes, a few tokens wide."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImageTransformer2DModel
from tiny_language_models import build_tiny_qwen3

__all__ = ["build_tiny_flux_vae", "build_tiny_z_image"]

_TEXT_WIDTH = 16


def build_tiny_flux_vae(folder: Path) -> Path:
    """Writes an autoencoder of FLUX.1's kind, 16 channels at 8 pixels, without quantizing convolutions."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 16, 16, 16),
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=16,
        sample_size=64,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    vae.save_pretrained(folder)
    return folder


def build_tiny_z_image(folder: Path, *, base: bool = False, seed: int = 0, size: int = 64) -> Path:
    """Writes a tiny Z-Image, Turbo unless it is the `base`, as a diffusers folder; returns the folder.

    `size` is its native edge in pixels, a multiple of 16.
    """
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        build_tiny_flux_vae(folder / "vae")
        transformer = ZImageTransformer2DModel(
            dim=32,
            n_layers=4,
            n_refiner_layers=1,
            n_heads=4,
            n_kv_heads=4,
            cap_feat_dim=_TEXT_WIDTH,
            axes_dims=[4, 2, 2],
            axes_lens=[1024, 64, 64],
        )
        for token in (transformer.x_pad_token, transformer.cap_pad_token):
            torch.nn.init.normal_(token)
        transformer.save_pretrained(folder / "transformer")
    finally:
        torch.random.set_rng_state(state)
    build_tiny_qwen3(folder, seed=seed, width=_TEXT_WIDTH, layers=2)
    FlowMatchEulerDiscreteScheduler(shift=6.0 if base else 3.0).save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "ZImagePipeline",
        "_diffusers_version": "0.42.1",
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen3Model"],
        "tokenizer": ["transformers", "Qwen2Tokenizer"],
        "transformer": ["diffusers", "ZImageTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")
    card = {"name": folder.name, "native_pixels": size * size}
    (folder / "card.json").write_text(json.dumps(card, indent=2), encoding="utf-8")
    return folder
