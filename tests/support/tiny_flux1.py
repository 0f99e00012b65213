"""Tiny seeded checkpoints of FLUX.1: the real classes, a few tokens wide."""

import json
import re
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
from safetensors.torch import load_file, save_file
from tiny_checkpoints import TINY_WORDS, write_clip_tokenizer
from tiny_z_image import build_tiny_flux_vae
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel, T5Tokenizer

__all__ = ["LORA_LAYOUTS", "build_tiny_flux1", "build_tiny_flux1_lora", "original_flux1_transformer"]

LORA_LAYOUTS = ("diffusers", "ai-toolkit", "kohya")
Tensors = dict[str, torch.Tensor]

_TEXT_WIDTH, _CLIP_WIDTH = 16, 16
_SPACE = "▁"


def build_tiny_flux1(folder: Path, *, kind: str = "dev", seed: int = 0, size: int = 64) -> Path:
    """Writes a tiny FLUX.1, a "dev", "schnell" or "fill", as a diffusers folder; returns the folder.

    `size` is its native edge in pixels, a multiple of 16.
    """
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        build_tiny_flux_vae(folder / "vae")
        transformer = FluxTransformer2DModel(
            in_channels=384 if kind == "fill" else 64,
            out_channels=64,
            num_layers=1,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=_TEXT_WIDTH,
            pooled_projection_dim=_CLIP_WIDTH,
            guidance_embeds=kind != "schnell",
            axes_dims_rope=(4, 6, 6),
        )
        transformer.save_pretrained(folder / "transformer")
        _write_texts(folder)
    finally:
        torch.random.set_rng_state(state)
    shift = {"shift": 1.0} if kind == "schnell" else {"shift": 3.0, "use_dynamic_shifting": True}
    FlowMatchEulerDiscreteScheduler(**shift).save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "FluxFillPipeline" if kind == "fill" else "FluxPipeline",
        "_diffusers_version": "0.42.1",
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "text_encoder_2": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "tokenizer_2": ["transformers", "T5TokenizerFast"],
        "transformer": ["diffusers", "FluxTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")
    card = {"name": folder.name, "native_pixels": size * size}
    (folder / "card.json").write_text(json.dumps(card, indent=2), encoding="utf-8")
    return folder


def _write_texts(folder: Path) -> None:
    vocab_size = write_clip_tokenizer(folder / "tokenizer")
    clip = CLIPTextConfig(
        vocab_size=vocab_size, hidden_size=_CLIP_WIDTH, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, projection_dim=_CLIP_WIDTH, bos_token_id=vocab_size - 2, eos_token_id=vocab_size - 1,
        pad_token_id=vocab_size - 1,
    )  # fmt: skip
    CLIPTextModel(clip).save_pretrained(folder / "text_encoder")
    pieces = [*(_SPACE + word for word in TINY_WORDS), *map(chr, range(ord("!"), ord("~") + 1))]
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), (_SPACE, -3.0), *((piece, -4.0) for piece in pieces)]
    tokenizer = T5Tokenizer(vocab=vocab, extra_ids=0, model_max_length=512)
    tokenizer.save_pretrained(folder / "tokenizer_2")
    t5 = T5Config(
        vocab_size=len(tokenizer), d_model=_TEXT_WIDTH, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
        feed_forward_proj="gated-gelu", is_encoder_decoder=False,
    )  # fmt: skip
    T5EncoderModel(t5).save_pretrained(folder / "text_encoder_2")


# diffusers' names, and those of Black Forest Labs' own code, in this order.
_TRANSFORMER = (
    (r"^x_embedder\.", "img_in."),
    (r"^context_embedder\.", "txt_in."),
    (r"^time_text_embed\.timestep_embedder\.linear_1\.", "time_in.in_layer."),
    (r"^time_text_embed\.timestep_embedder\.linear_2\.", "time_in.out_layer."),
    (r"^time_text_embed\.text_embedder\.linear_1\.", "vector_in.in_layer."),
    (r"^time_text_embed\.text_embedder\.linear_2\.", "vector_in.out_layer."),
    (r"^time_text_embed\.guidance_embedder\.linear_1\.", "guidance_in.in_layer."),
    (r"^time_text_embed\.guidance_embedder\.linear_2\.", "guidance_in.out_layer."),
    (r"^proj_out\.", "final_layer.linear."),
    (r"^norm_out\.linear\.", "final_layer.adaLN_modulation.1."),
    (r"^single_transformer_blocks\.", "single_blocks."),
    (r"^transformer_blocks\.", "double_blocks."),
    (r"^(single_blocks\.\d+\.)(?:attn\.to_[qkv]|proj_mlp)\.", r"\1linear1."),
    (r"^(single_blocks\.\d+\.)proj_out\.", r"\1linear2."),
    (r"^(single_blocks\.\d+\.)norm\.linear\.", r"\1modulation.lin."),
    (r"^(single_blocks\.\d+\.)attn\.norm_q\.weight$", r"\1norm.query_norm.scale"),
    (r"^(single_blocks\.\d+\.)attn\.norm_k\.weight$", r"\1norm.key_norm.scale"),
    (r"\.attn\.to_[qkv]\.", ".img_attn.qkv."),
    (r"\.attn\.add_[qkv]_proj\.", ".txt_attn.qkv."),
    (r"\.attn\.to_out\.0\.", ".img_attn.proj."),
    (r"\.attn\.to_add_out\.", ".txt_attn.proj."),
    (r"\.attn\.norm_q\.weight$", ".img_attn.norm.query_norm.scale"),
    (r"\.attn\.norm_k\.weight$", ".img_attn.norm.key_norm.scale"),
    (r"\.attn\.norm_added_q\.weight$", ".txt_attn.norm.query_norm.scale"),
    (r"\.attn\.norm_added_k\.weight$", ".txt_attn.norm.key_norm.scale"),
    (r"\.norm1\.linear\.", ".img_mod.lin."),
    (r"\.norm1_context\.linear\.", ".txt_mod.lin."),
    (r"\.ff\.net\.0\.proj\.", ".img_mlp.0."),
    (r"\.ff\.net\.2\.", ".img_mlp.2."),
    (r"\.ff_context\.net\.0\.proj\.", ".txt_mlp.0."),
    (r"\.ff_context\.net\.2\.", ".txt_mlp.2."),
)
# Those that are one layer there, in its order.
_FUSED = ("to_q.", "to_k.", "to_v.", "add_q_proj.", "add_k_proj.", "add_v_proj.", "proj_mlp.")


def _original(name: str) -> str:
    for pattern, replacement in _TRANSFORMER:
        name = re.sub(pattern, replacement, name)
    return name


def _in_order(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: next((at for at, one in enumerate(_FUSED) if one in name), -1))


def original_flux1_transformer(tensors: Tensors) -> Tensors:
    """A transformer's tensors in the original layout: queries, keys and values in one, shift before scale."""
    fused: dict[str, list[torch.Tensor]] = {}
    for name in _in_order(list(tensors)):
        fused.setdefault(_original(name), []).append(tensors[name])
    found = {name: torch.cat(several) if len(several) > 1 else several[0] for name, several in fused.items()}
    for name in [name for name in found if "adaLN_modulation" in name]:
        scale, shift = found[name].chunk(2)
        found[name] = torch.cat([shift, scale])
    return found


def build_tiny_flux1_lora(checkpoint: Path, path: Path, *, layout: str, rank: int = 2) -> Path:
    """Writes a LoRA of random weights on all layers in the blocks; returns `path`.

    It is the same in each of `LORA_LAYOUTS`; layers that are one in the original have the rank of all.
    """
    weights = load_file(next((checkpoint / "transformer").glob("*.safetensors")))
    generator = torch.Generator().manual_seed(1)
    named: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    blocks = [name for name in weights if "transformer_blocks." in name and weights[name].dim() == 2]
    for name in _in_order(sorted(blocks)):
        down = torch.randn(rank, weights[name].shape[1], generator=generator) / rank
        up = torch.randn(weights[name].shape[0], rank, generator=generator) / rank / 2
        spelt = (name if layout == "diffusers" else _original(name)).removesuffix(".weight")
        if spelt in named:
            down, up = torch.cat([named[spelt][0], down]), torch.block_diag(named[spelt][1], up)
        named[spelt] = (down, up)
    prefix = {"diffusers": "transformer.", "ai-toolkit": "diffusion_model.", "kohya": "lora_unet_"}[layout]
    roles = ("lora_down", "lora_up") if layout == "kohya" else ("lora_A", "lora_B")
    tensors = {}
    for name, pair in named.items():
        module = prefix + (name.replace(".", "_") if layout == "kohya" else name)
        tensors |= {f"{module}.{role}.weight": one.contiguous() for role, one in zip(roles, pair, strict=True)}
    save_file(tensors, path)
    return path
