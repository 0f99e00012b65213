"""Tiny seeded LoRAs for tiny checkpoints, each in the namings that trainers write."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from single_files import original_unet_name

__all__ = ["LAYOUTS", "build_tiny_lora"]

LAYOUTS = ("kohya", "original", "comfyui", "diffusers", "diffusers-old", "peft")

_ATTENTION = re.compile(r"attn\d\.to_[qkv]\.weight$|attn\d\.to_out\.0\.weight$")
_MORE = re.compile(r"ff\.net\.2\.weight$|resnets\.\d\.conv1\.weight$|proj_in\.weight$")
_TEXT = re.compile(r"self_attn\.(?:q|k|v|out)_proj\.weight$|mlp\.fc1\.weight$")
_KOHYA_PREFIXES = {"unet": "lora_unet", "text_encoder": "lora_te", "text_encoder_2": "lora_te2"}
_COMFYUI_TEXTS = {("SD2", "text_encoder"): "clip_h", ("SDXL", "text_encoder_2"): "clip_g"}
_SAID = {"SD1": "sd_v1", "SD2": "sd_v2_768_v", "SDXL": "sdxl_base_v1-0"}


def build_tiny_lora(
    checkpoint: Path,
    path: Path,
    *,
    layout: str = "kohya",
    parts: Sequence[str] = ("unet", "text_encoder", "text_encoder_2"),
    more: bool = True,
    rank: int = 4,
    strength: float = 0.3,
    seed: int = 0,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Writes a LoRA of random weights for a tiny diffusers folder; returns `path`.

    The same seed, rank and parts give the same change in every layout. `parts` that the checkpoint lacks are left out,
    and in the layout "peft" all but the UNet; `more` changes convolutions too.
    """
    family = json.loads((checkpoint / "card.json").read_text())["family"]
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for part in parts:
        if not (checkpoint / part).is_dir() or (layout == "peft" and part != "unet"):
            continue
        for name, shape in _shapes(checkpoint / part).items():
            wanted = (_ATTENTION, _MORE) if part == "unet" and more else (_ATTENTION, _TEXT)
            if not any(pattern.search(name) for pattern in wanted):
                continue
            # A convolution is taken apart into one that narrows and one of a single pixel that widens.
            down = torch.randn(rank, *shape[1:], generator=generator) / rank
            up = torch.randn(shape[0], rank, *(1 for _ in shape[2:]), generator=generator) * strength
            tensors |= _named(layout, part, name.removesuffix(".weight"), down, up, family, checkpoint)
    said = dict(metadata or {})
    if layout in ("kohya", "original", "comfyui"):
        said |= {"ss_base_model_version": _SAID[family], "ss_network_dim": str(rank)}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=said or None)
    return path


def _shapes(part: Path) -> dict[str, tuple[int, ...]]:
    with safe_open(next(part.glob("*.safetensors")), framework="pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in sorted(file.keys())}


def _named(
    layout: str, part: str, module: str, down: torch.Tensor, up: torch.Tensor, family: str, checkpoint: Path
) -> dict[str, torch.Tensor]:
    if layout in ("kohya", "original", "comfyui"):
        rank = len(down)
        prefix = _KOHYA_PREFIXES[part]
        if family == "SDXL" and part == "text_encoder":
            prefix = "lora_te1"
        if part == "unet" and (family == "SDXL" or layout != "kohya"):
            config = json.loads((checkpoint / "unet" / "config.json").read_text())
            module = original_unet_name(f"{module}.weight", config).removesuffix(".weight")
        if part != "unet" and not module.startswith("text_model."):
            module = f"text_model.{module}"
        name = f"{prefix}_{module.replace('.', '_')}"
        if layout == "comfyui":
            clip = _COMFYUI_TEXTS.get((family, part), "clip_l")
            name = f"diffusion_model.{module}" if part == "unet" else f"text_encoders.{clip}.transformer.{module}"
        # Half of what the other layouts have, and doubled by alpha.
        return {
            f"{name}.lora_down.weight": down,
            f"{name}.lora_up.weight": up / 2,
            f"{name}.alpha": torch.tensor(2.0 * rank),
        }
    if layout == "peft":
        return {f"base_model.model.{module}.lora_A.weight": down, f"base_model.model.{module}.lora_B.weight": up}
    if layout == "diffusers":
        return {f"{part}.{module}.lora_A.weight": down, f"{part}.{module}.lora_B.weight": up}
    assert layout == "diffusers-old"
    between = "lora" if part == "unet" else "lora_linear_layer"
    return {f"{part}.{module}.{between}.down.weight": down, f"{part}.{module}.{between}.up.weight": up}
