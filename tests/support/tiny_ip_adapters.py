"""Tiny seeded IP-Adapters for tiny checkpoints, with their image encoders."""

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

__all__ = ["ENCODER_SIDE", "build_tiny_image_encoder", "build_tiny_ip_adapter"]

ENCODER_SIDE = 32
"""Pixels along an edge of what the encoder sees."""

_HIDDEN, _PROJECTED = 16, 24


def build_tiny_image_encoder(folder: Path, *, seed: int = 0) -> Path:
    """Writes a tiny image encoder as a folder; returns it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = CLIPVisionConfig(
            hidden_size=_HIDDEN,
            intermediate_size=32,
            projection_dim=_PROJECTED,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=ENCODER_SIDE,
            patch_size=8,
        )
        CLIPVisionModelWithProjection(config).save_pretrained(folder)
    return folder


def build_tiny_ip_adapter(checkpoint: Path, path: Path, *, plus: bool = False, seed: int = 1) -> Path:
    """Writes an IP-Adapter for a tiny diffusers folder's UNet in the original names; returns the file."""
    unet = UNet2DConditionModel.from_pretrained(checkpoint / "unet", local_files_only=True)
    width = unet.config.cross_attention_dim
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * 0.3

    tensors = _plus(drawn, width) if plus else _plain(drawn, width)
    layers = [module for name, module in unet.named_modules() if name.endswith(".attn2")]
    for number, layer in enumerate(layers):
        for role in ("k", "v"):
            weight = drawn(layer.to_k.weight.shape[0], width)
            tensors[f"ip_adapter.{2 * number + 1}.to_{role}_ip.weight"] = weight
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def _plain(drawn, width: int) -> dict[str, torch.Tensor]:
    return {
        "image_proj.proj.weight": drawn(4 * width, _PROJECTED),
        "image_proj.proj.bias": drawn(4 * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": drawn(width),
    }


def _plus(drawn, width: int) -> dict[str, torch.Tensor]:
    inner = 64
    tensors = {
        "latents": drawn(1, 4, inner),
        "proj_in.weight": drawn(inner, _HIDDEN),
        "proj_in.bias": drawn(inner),
        "proj_out.weight": drawn(width, inner),
        "proj_out.bias": drawn(width),
        "norm_out.weight": torch.ones(width),
        "norm_out.bias": drawn(width),
    }
    for layer in range(4):
        name = f"layers.{layer}"
        for norm in ("0.norm1", "0.norm2", "1.0"):
            tensors[f"{name}.{norm}.weight"] = torch.ones(inner)
            tensors[f"{name}.{norm}.bias"] = torch.zeros(inner)
        tensors[f"{name}.0.to_q.weight"] = drawn(64, inner)
        tensors[f"{name}.0.to_kv.weight"] = drawn(128, inner)
        tensors[f"{name}.0.to_out.weight"] = drawn(inner, 64)
        tensors[f"{name}.1.1.weight"] = drawn(4 * inner, inner)
        tensors[f"{name}.1.3.weight"] = drawn(inner, 4 * inner)
    return {f"image_proj.{name}": tensor for name, tensor in tensors.items()}
