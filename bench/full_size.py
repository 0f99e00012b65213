"""A checkpoint of Stable Diffusion 1.5's real size with random weights: its pictures mean nothing, its times do.

Sizes from the paper's repository (CompVis/stable-diffusion, v1-inference.yaml) and CLIP ViT-L/14: UNet 859 million
parameters, VAE 84 million, text encoder 85 million without its word embeddings, which the small tokenizer replaces.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from tiny_checkpoints import build_tiny_sd1

__all__ = ["build_full_sd15"]


def build_full_sd15(folder: Path) -> Path:
    """Write an inpainting checkpoint in float32, 4.1 GB; takes about a minute."""
    build_tiny_sd1(folder, inpaint=True, size=512, steps=2)
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=64,
        in_channels=9,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        block_out_channels=(320, 640, 1280, 1280),
        layers_per_block=2,
        attention_head_dim=8,
        cross_attention_dim=768,
    )
    unet.save_pretrained(folder / "unet")
    print(f"UNet: {sum(p.numel() for p in unet.parameters()) / 1e6:.0f} million parameters")
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    )
    vae.save_pretrained(folder / "vae")
    small = CLIPTextConfig.from_pretrained(folder / "text_encoder")
    config = CLIPTextConfig(
        vocab_size=small.vocab_size,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        projection_dim=768,
        bos_token_id=small.bos_token_id,
        eos_token_id=small.eos_token_id,
        pad_token_id=small.pad_token_id,
    )
    CLIPTextModel(config).save_pretrained(folder / "text_encoder")
    return folder
