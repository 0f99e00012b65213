"""Tiny seeded checkpoints of Z-Image: the real classes, a few tokens wide."""

import json
import re
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImageTransformer2DModel
from safetensors.torch import load_file, save_file
from tiny_language_models import build_tiny_qwen3

__all__ = [
    "LORA_LAYOUTS",
    "build_tiny_flux_vae",
    "build_tiny_z_image",
    "build_tiny_z_image_lora",
    "original_z_image_transformer",
]

LORA_LAYOUTS = ("diffusers", "ai-toolkit", "kohya", "kohya, original")
"""Whose names a LoRA has: a trainer's, and the original ones of queries, keys and values in one layer."""

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


def build_tiny_z_image(
    folder: Path, *, base: bool = False, seed: int = 0, size: int = 64, text_layers: int = 2
) -> Path:
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
    build_tiny_qwen3(folder, seed=seed, width=_TEXT_WIDTH, layers=text_layers)
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


def build_tiny_z_image_lora(checkpoint: Path, path: Path, *, layout: str, rank: int = 2) -> Path:
    """Writes a LoRA of random weights on all layers of the blocks' attention and feed-forward; returns `path`.

    It is the same in each of `LORA_LAYOUTS`; queries, keys and values in one layer have the rank of three.
    """
    weights = load_file(next((checkpoint / "transformer").glob("*.safetensors")))
    generator = torch.Generator().manual_seed(1)
    named: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name, weight in sorted(weights.items(), key=lambda one: _in_order(one[0])):
        if not re.search(r"\.(?:attention\.to_|feed_forward\.)", name):
            continue
        down = torch.randn(rank, weight.shape[1], generator=generator) / rank
        up = torch.randn(weight.shape[0], rank, generator=generator) / rank
        spelt = (_original(name) if layout == "kohya, original" else name).removesuffix(".weight")
        if spelt in named:
            down, up = torch.cat([named[spelt][0], down]), torch.block_diag(named[spelt][1], up)
        named[spelt] = (down, up)
    kohya = layout.startswith("kohya")
    prefix = {"diffusers": "transformer.", "ai-toolkit": "diffusion_model."}.get(layout, "lora_unet_")
    tensors = {}
    for name, (down, up) in named.items():
        module = prefix + (name.replace(".", "_") if kohya else name)
        tensors[f"{module}.{'lora_down' if kohya else 'lora_A'}.weight"] = down
        tensors[f"{module}.{'lora_up' if kohya else 'lora_B'}.weight"] = up.contiguous()
    save_file(tensors, path)
    return path


def _in_order(name: str) -> tuple[str, int]:
    """Queries, keys and values in the order in which they are in one layer."""
    found = re.search(r"to_([qkv])\.", name)
    return (name.replace(f"to_{found[1]}.", "qkv."), "qkv".index(found[1])) if found else (name, 0)


def original_z_image_transformer(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A transformer's tensors in the original layout: queries, keys and values in one."""
    found: dict[str, torch.Tensor] = {}
    fused: dict[str, list[torch.Tensor]] = {}
    # Files have their names sorted, and keys before queries.
    for name, tensor in sorted(tensors.items(), key=lambda one: _in_order(one[0])):
        joined = _original(name)
        if "attention.qkv." in joined:
            fused.setdefault(joined, []).append(tensor)
        else:
            found[joined] = tensor
    return {**found, **{name: torch.cat(three) for name, three in fused.items()}}


def _original(name: str) -> str:
    joined = re.sub(r"attention\.to_[qkv]\.", "attention.qkv.", name)
    for before, after in _ORIGINAL:
        joined = joined.replace(before, after)
    return joined


_ORIGINAL = (
    ("all_x_embedder.2-1.", "x_embedder."),
    ("all_final_layer.2-1.", "final_layer."),
    ("attention.to_out.0.", "attention.out."),
    ("attention.norm_q.", "attention.q_norm."),
    ("attention.norm_k.", "attention.k_norm."),
)
