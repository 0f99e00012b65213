"""Tiny seeded checkpoints of FLUX.2 Klein: the real classes, a few tokens wide."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel
from tiny_language_models import build_tiny_qwen3

__all__ = ["build_tiny_flux2", "build_tiny_flux2_vae"]

_TEXT_WIDTH = 16


def build_tiny_flux2_vae(folder: Path) -> Path:
    """Writes an autoencoder of FLUX.2's kind, 32 channels at 8 pixels, with statistics of their patches."""
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 16, 16, 16), layers_per_block=1, norm_num_groups=4, latent_channels=32, sample_size=64
    )
    vae.bn.running_mean.normal_(std=0.2)
    vae.bn.running_var.uniform_(0.05, 0.4)
    vae.save_pretrained(folder)
    return folder


def build_tiny_flux2(folder: Path, *, blocks: int = 1, base: bool = False, seed: int = 0, size: int = 64) -> Path:
    """Writes a tiny Klein as a diffusers folder; returns the folder.

    `blocks` is how many have two streams: six for one that is told as the 9B. `size` is its native edge in pixels, a
    multiple of 16.
    """
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        build_tiny_flux2_vae(folder / "vae")
        transformer = Flux2Transformer2DModel(
            num_layers=blocks,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=3 * _TEXT_WIDTH,
            timestep_guidance_channels=32,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        )
        transformer.save_pretrained(folder / "transformer")
    finally:
        torch.random.set_rng_state(state)
    build_tiny_qwen3(folder, seed=seed, width=_TEXT_WIDTH)
    FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True).save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "Flux2KleinPipeline",
        "_diffusers_version": "0.42.1",
        "is_distilled": not base,
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen3ForCausalLM"],
        "tokenizer": ["transformers", "Qwen2TokenizerFast"],
        "transformer": ["diffusers", "Flux2Transformer2DModel"],
        "vae": ["diffusers", "AutoencoderKLFlux2"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")
    card = {"name": folder.name, "native_pixels": size * size}
    (folder / "card.json").write_text(json.dumps(card, indent=2), encoding="utf-8")
    return folder
