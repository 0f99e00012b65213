"""Checkpoints of real size with random weights: their pictures mean nothing, their times and their memory do.

Stable Diffusion 1.5's sizes from the paper's repository (CompVis/stable-diffusion, v1-inference.yaml) and CLIP
ViT-L/14: UNet 859 million parameters, VAE 84 million, text encoder 85 million without its word embeddings, which the
small tokenizer replaces. SDXL's from Podell et al. 2023, table 1, and OpenCLIP ViT-bigG/14: UNet 2.6 billion.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl

__all__ = ["build_full_sd15", "build_full_sdxl"]


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
    _write_vae(folder)
    _write_text_encoder(CLIPTextModel, folder / "text_encoder", width=768, layers=12, heads=12)
    return folder


def build_full_sdxl(folder: Path) -> Path:
    """Write a base checkpoint in bfloat16, 6.9 GB; takes some minutes."""
    build_tiny_sdxl(folder, inpaint=False, size=1024, steps=2)
    torch.manual_seed(0)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        unet = UNet2DConditionModel(
            sample_size=128,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(320, 640, 1280),
            layers_per_block=2,
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            use_linear_projection=True,
            cross_attention_dim=768 + 1280,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=1280 + 6 * 256,
        )
        unet.save_pretrained(folder / "unet")
        print(f"UNet: {sum(p.numel() for p in unet.parameters()) / 1e6:.0f} million parameters")
        del unet
        _write_text_encoder(CLIPTextModel, folder / "text_encoder", width=768, layers=12, heads=12)
        _write_text_encoder(
            CLIPTextModelWithProjection, folder / "text_encoder_2", width=1280, layers=32, heads=20, act="gelu"
        )
    finally:
        torch.set_default_dtype(default)
    _write_vae(folder, scaling_factor=0.13025)
    return folder


def _write_vae(folder: Path, *, scaling_factor: float = 0.18215) -> None:
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
        scaling_factor=scaling_factor,
    )
    vae.save_pretrained(folder / "vae")


def _write_text_encoder(
    kind: type, folder: Path, *, width: int, layers: int, heads: int, act: str = "quick_gelu"
) -> None:
    """In the place of the small one, with its vocabulary."""
    small = CLIPTextConfig.from_pretrained(folder)
    config = CLIPTextConfig(
        vocab_size=small.vocab_size,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        projection_dim=width,
        hidden_act=act,
        bos_token_id=small.bos_token_id,
        eos_token_id=small.eos_token_id,
        pad_token_id=small.pad_token_id,
    )
    kind(config).save_pretrained(folder)
