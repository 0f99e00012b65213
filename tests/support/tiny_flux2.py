"""Tiny seeded checkpoints of FLUX.2 Klein: the real classes, a few tokens wide."""

import json
import re
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel
from safetensors.torch import load_file, save_file
from tiny_language_models import build_tiny_qwen3

__all__ = [
    "LORA_LAYOUTS",
    "build_tiny_flux2",
    "build_tiny_flux2_lora",
    "build_tiny_flux2_vae",
    "original_flux2_transformer",
    "original_flux2_vae",
    "save_flux2_files",
]

LORA_LAYOUTS = ("diffusers", "ai-toolkit", "kohya", "peft")

Tensors = dict[str, torch.Tensor]

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


def save_flux2_files(
    checkpoint: Path, folder: Path, *, whole: bool, name: str = "klein", original: bool = True
) -> Path:
    """Writes a folder's parts as files, in the original layout or diffusers'; returns the one with the transformer.

    All of them are in it where it is `whole`. Its configs, which are of other sizes than the published ones', and the
    tokenizer lie beside it.
    """
    parts = {
        part: load_file(next((checkpoint / part).glob("*.safetensors")))
        for part in ("transformer", "vae", "text_encoder")
    }
    if original:
        parts["transformer"] = original_flux2_transformer(parts["transformer"])
        parts["vae"] = original_flux2_vae(parts["vae"])
    for part in ("transformer", "vae", "text_encoder", "scheduler", "tokenizer"):
        shutil.copytree(
            checkpoint / part,
            folder / f"{name}.config" / part,
            ignore=shutil.ignore_patterns("*.safetensors"),
            dirs_exist_ok=True,
        )
    shutil.copy(checkpoint / "card.json", folder / f"{name}.config" / "card.json")
    if whole:
        prefixes = {
            "transformer": "model.diffusion_model.",
            "vae": "vae.",
            "text_encoder": "text_encoders.qwen3_4b.transformer.",
        }
        tensors = {prefixes[part] + name: one for part, of_part in parts.items() for name, one in of_part.items()}
        save_file(_contiguous(tensors), folder / f"{name}.safetensors")
    else:
        save_file(_contiguous(parts["transformer"]), folder / f"{name}.safetensors")
        save_file(_contiguous(parts["vae"]), folder / "flux2-vae.safetensors")
        save_file(_contiguous(parts["text_encoder"]), folder / "qwen_3_4b.safetensors")
    return folder / f"{name}.safetensors"


def _contiguous(tensors: Tensors) -> Tensors:
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


# diffusers' names, and those of Black Forest Labs' own code, in this order.
_TRANSFORMER = (
    (r"^x_embedder\.", "img_in."),
    (r"^context_embedder\.", "txt_in."),
    (r"^time_guidance_embed\.timestep_embedder\.linear_1\.", "time_in.in_layer."),
    (r"^time_guidance_embed\.timestep_embedder\.linear_2\.", "time_in.out_layer."),
    (r"^(\w+_modulation\w*)\.linear\.", r"\1.lin."),
    (r"^proj_out\.", "final_layer.linear."),
    (r"^norm_out\.linear\.", "final_layer.adaLN_modulation.1."),
    (r"^single_transformer_blocks\.", "single_blocks."),
    (r"^transformer_blocks\.", "double_blocks."),
    (r"^(single_blocks\.\d+\.)attn\.to_qkv_mlp_proj\.", r"\1linear1."),
    (r"^(single_blocks\.\d+\.)attn\.to_out\.", r"\1linear2."),
    (r"^(single_blocks\.\d+\.)attn\.norm_q\.weight$", r"\1norm.query_norm.scale"),
    (r"^(single_blocks\.\d+\.)attn\.norm_k\.weight$", r"\1norm.key_norm.scale"),
    (r"\.attn\.to_out\.0\.", ".img_attn.proj."),
    (r"\.attn\.to_add_out\.", ".txt_attn.proj."),
    (r"\.attn\.norm_q\.weight$", ".img_attn.norm.query_norm.scale"),
    (r"\.attn\.norm_k\.weight$", ".img_attn.norm.key_norm.scale"),
    (r"\.attn\.norm_added_q\.weight$", ".txt_attn.norm.query_norm.scale"),
    (r"\.attn\.norm_added_k\.weight$", ".txt_attn.norm.key_norm.scale"),
    (r"\.ff\.linear_in\.", ".img_mlp.0."),
    (r"\.ff\.linear_out\.", ".img_mlp.2."),
    (r"\.ff_context\.linear_in\.", ".txt_mlp.0."),
    (r"\.ff_context\.linear_out\.", ".txt_mlp.2."),
)
_VAE = (
    (r"^quant_conv\.", "encoder.quant_conv."),
    (r"^post_quant_conv\.", "decoder.post_quant_conv."),
    (r"conv_norm_out\.", "norm_out."),
    (r"^encoder\.down_blocks\.(\d)\.resnets\.", r"encoder.down.\1.block."),
    (r"^encoder\.down_blocks\.(\d)\.downsamplers\.0\.", r"encoder.down.\1.downsample."),
    (r"mid_block\.resnets\.0\.", "mid.block_1."),
    (r"mid_block\.resnets\.1\.", "mid.block_2."),
    (r"mid_block\.attentions\.0\.group_norm\.", "mid.attn_1.norm."),
    (r"mid_block\.attentions\.0\.to_([qkv])\.", r"mid.attn_1.\1."),
    (r"mid_block\.attentions\.0\.to_out\.0\.", "mid.attn_1.proj_out."),
    (r"conv_shortcut\.", "nin_shortcut."),
)
_ATTENTION = re.compile(r"attn_1\.(?:q|k|v|proj_out)\.weight$")
_UP = re.compile(r"^decoder\.up_blocks\.(\d)\.(resnets|upsamplers\.0)\.")


def original_flux2_transformer(tensors: Tensors) -> Tensors:
    """A transformer's tensors in the original layout: queries, keys and values in one, shift before scale."""
    found: Tensors = {}
    fused: dict[str, list[torch.Tensor]] = {}
    # Files have their names sorted, and keys before queries.
    for name in sorted(tensors, key=_queries_first):
        joined, tensor = _joined(name), tensors[name]
        original = _renamed(joined, _TRANSFORMER)
        if joined != name:
            fused.setdefault(original, []).append(tensor)
        elif "adaLN_modulation" in original:
            scale, shift = tensor.chunk(2)
            found[original] = torch.cat([shift, scale])
        else:
            found[original] = tensor
    return {**found, **{name: torch.cat(three) for name, three in fused.items()}}


def _queries_first(name: str) -> str:
    return name.replace("to_q", "to_a").replace("add_q", "add_a")


def _joined(name: str) -> str:
    """Of queries, keys and values the name of what holds all three."""
    name = re.sub(r"\.attn\.to_[qkv]\.weight$", ".img_attn.qkv.weight", name)
    return re.sub(r"\.attn\.add_[qkv]_proj\.weight$", ".txt_attn.qkv.weight", name)


def original_flux2_vae(tensors: Tensors) -> Tensors:
    """An autoencoder's tensors in the original layout: blocks up are counted from the finest, attention convolves."""
    found: Tensors = {}
    for name, tensor in tensors.items():
        original = _UP.sub(lambda up: f"decoder.up.{3 - int(up[1])}.{_UP_PARTS[up[2]]}.", _renamed(name, _VAE))
        found[original] = tensor[..., None, None] if _ATTENTION.search(original) else tensor
    return found


_UP_PARTS = {"resnets": "block", "upsamplers.0": "upsample"}


def _renamed(name: str, patterns: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in patterns:
        name = re.sub(pattern, replacement, name)
    return name


def build_tiny_flux2_lora(checkpoint: Path, path: Path, *, layout: str, rank: int = 2, strength: float = 0.5) -> Path:
    """Writes a LoRA of random weights on all layers in the blocks; returns `path`.

    It is the same in each layout, one of `LORA_LAYOUTS`; queries, keys and values in one layer have the rank of three.
    """
    weights = load_file(next((checkpoint / "transformer").glob("*.safetensors")))
    generator = torch.Generator().manual_seed(1)
    pairs = {
        name.removesuffix(".weight"): (
            torch.randn(rank, weight.shape[1], generator=generator) / rank,
            torch.randn(weight.shape[0], rank, generator=generator) * strength / rank,
        )
        for name, weight in sorted(weights.items())
        if "transformer_blocks." in name and weight.dim() == 2
    }
    if layout in ("diffusers", "peft"):
        prefix = "transformer." if layout == "diffusers" else "base_model.model."
        named = {f"{prefix}{name}": pair for name, pair in pairs.items()}
        downs, ups = ".lora_A.weight", ".lora_B.weight"
    else:
        named = {}
        for name in sorted(pairs, key=_queries_first):
            pair = pairs[name]
            original = _renamed(_joined(f"{name}.weight"), _TRANSFORMER).removesuffix(".weight")
            if original in named:
                down, up = named[original]
                pair = (torch.cat([down, pair[0]]), torch.block_diag(up, pair[1]))
            named[original] = pair
        downs, ups = (
            (".lora_A.weight", ".lora_B.weight") if layout == "ai-toolkit" else (".lora_down.weight", ".lora_up.weight")
        )
        if layout == "kohya":
            named = {f"lora_unet_{name.replace('.', '_')}": pair for name, pair in named.items()}
        else:
            named = {f"diffusion_model.{name}": pair for name, pair in named.items()}
    tensors = {f"{name}{downs}": down for name, (down, _) in named.items()}
    tensors |= {f"{name}{ups}": up.contiguous() for name, (_, up) in named.items()}
    save_file(tensors, path)
    return path
