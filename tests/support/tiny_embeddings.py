"""Textual inversions of seeded random vectors for tiny checkpoints, as trainers and programs write them."""

from pathlib import Path

import torch
from safetensors.torch import save_file

__all__ = ["build_tiny_embedding"]

# The widths of the tiny checkpoints' text encoders, and what a trainer says of theirs.
_WIDTHS = {"SD1": (32,), "SD2": (32,), "SDXL": (32, 48)}
_SAID = {"SD1": "stable-diffusion-v1", "SD2": "stable-diffusion-v2-768-v", "SDXL": "stable-diffusion-xl-v1-base"}


def build_tiny_embedding(
    path: Path, family: str, *, vectors: int = 2, key: str = "emb_params", seed: int = 0, said: bool = True
) -> Path:
    """Writes one; returns `path`. `key` names the only tensor of those for a single text encoder; without `said` the
    file's metadata says nothing.
    """
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn((vectors, width), generator=generator) * 0.5 for width in _WIDTHS[family]]
    tensors = dict(zip(("clip_l", "clip_g"), made, strict=True)) if len(made) > 1 else {key: made[0]}
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"modelspec.architecture": f"{_SAID[family]}/textual-inversion"} if said else None
    save_file(tensors, path, metadata=metadata)
    return path
