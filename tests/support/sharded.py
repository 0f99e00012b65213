"""Weights of a diffusers folder's part in several files, as large ones are published."""

import json
from pathlib import Path

from safetensors.torch import load_file, save_file

__all__ = ["shard"]


def shard(part: Path, variant: str = "") -> None:
    """Parts a whole file into two shards and an index, named as diffusers names those of a variant."""
    whole = part / "diffusion_pytorch_model.safetensors"
    tensors = load_file(whole)
    names, dotted = sorted(tensors), f".{variant}" if variant else ""
    places = {}
    for number, own in enumerate((names[::2], names[1::2]), start=1):
        file = f"diffusion_pytorch_model{dotted}-{number:05}-of-00002.safetensors"
        save_file({name: tensors[name] for name in own}, part / file)
        places |= dict.fromkeys(own, file)
    index = part / f"diffusion_pytorch_model.safetensors.index{dotted}.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    whole.unlink()
