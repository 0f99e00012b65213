"""Tiny seeded checkpoints of real architecture: diffusers folders that go through the same path as gigabyte ones.

Their weights are random, so their pictures mean nothing; what they show is that every door between the wire and the
layer is the real one. A build takes about a second, a four-step fill at their native size a fraction of one.
"""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

__all__ = ["TINY_WORDS", "build_tiny_sd1", "build_tiny_sd2", "build_tiny_sdxl", "byte_alphabet"]

TINY_WORDS = (
    "a",
    "red",
    "flower",
    "rock",
    "lake",
    "bird",
    "green",
    "leaf",
    "tree",
    "blue",
    "sky",
    "photo",
    "of",
    "the",
)
"""Words that the tiny tokenizer keeps whole; everything else falls apart into single bytes."""

_BOS, _EOS = "<|startoftext|>", "<|endoftext|>"


def byte_alphabet() -> list[str]:
    """The 256 printable stand-ins that byte-level BPE (GPT-2) writes bytes with."""
    kept = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in kept]
    return [chr(byte) for byte in kept] + [chr(256 + index) for index in range(len(moved))]


def write_clip_tokenizer(folder: Path, *, pad: str = _EOS, places: int = 77) -> int:
    """Writes a CLIP tokenizer whose vocabulary is the bytes and TINY_WORDS; returns the vocabulary's size."""
    alphabet = byte_alphabet()
    vocab = {token: index for index, token in enumerate([*alphabet, *(letter + "</w>" for letter in alphabet)])}
    merges: list[str] = []
    for word in TINY_WORDS:
        pieces = [*word[:-1], word[-1] + "</w>"]
        while len(pieces) > 1:
            left, right = pieces[-2], pieces[-1]
            if f"{left} {right}" not in merges:
                merges.append(f"{left} {right}")
            vocab.setdefault(left + right, len(vocab))
            pieces[-2:] = [left + right]
    vocab[_BOS] = len(vocab)
    vocab[_EOS] = len(vocab)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    pairs = [tuple(merge.split(" ")) for merge in merges]
    CLIPTokenizer(vocab=vocab, merges=pairs, model_max_length=places, pad_token=pad).save_pretrained(folder)
    return len(vocab)


def build_tiny_sd1(folder: Path, *, inpaint: bool, guidance_embeds: bool = False, **options: Any) -> Path:
    """Writes a tiny SD1 checkpoint of random weights as a diffusers folder; returns the folder.

    `inpaint` gives the UNet nine input channels instead of four; with `guidance_embeds` it is told the guidance, as
    LCM's are; `options` are `_build`'s.
    """
    unet = {**_UNET, "time_cond_proj_dim": 16} if guidance_embeds else _UNET
    return _build(folder, "SD1", inpaint=inpaint, unet=unet, **options)


def build_tiny_sd2(folder: Path, *, inpaint: bool, **options: Any) -> Path:
    """As `build_tiny_sd1`: linear projections in the UNet, OpenCLIP's exact GELU, prompts padded with "!"."""
    unet = {**_UNET, "use_linear_projection": True, "attention_head_dim": (4, 8)}
    return _build(folder, "SD2", inpaint=inpaint, unet=unet, pad="!", act="gelu", **options)


def build_tiny_sdxl(folder: Path, *, inpaint: bool, **options: Any) -> Path:
    """As `build_tiny_sd1`: two text encoders side by side, the second one's pooled states, and sizes."""
    unet = {
        **_UNET,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2),
        "use_linear_projection": True,
        "attention_head_dim": (4, 8),
        "cross_attention_dim": 32 + 48,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 48 + 6 * 8,
    }
    return _build(folder, "SDXL", inpaint=inpaint, unet=unet, second=True, scaling_factor=0.13025, **options)


_UNET: dict[str, Any] = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "attention_head_dim": 4,
    "cross_attention_dim": 32,
}


def _build(
    folder: Path,
    family: str,
    *,
    inpaint: bool,
    unet: dict[str, Any],
    pad: str = _EOS,
    act: str = "quick_gelu",
    second: bool = False,
    scaling_factor: float = 0.18215,
    seed: int = 0,
    prediction_type: str = "epsilon",
    size: int = 64,
    steps: int = 4,
    sampler: str = "DDIM",
    empty_prompt: str = "denoise",
    masked_picture: str = "grey",
    known_names: tuple[str, ...] = (),
    zero_terminal_snr: bool = False,
    places: int = 77,
) -> Path:
    """Writes the folder, weights seeded by `seed`.

    `places` is how many tokens the text encoders read. `size` is the native edge in pixels, a multiple of 8, and stands
    in the card with `steps`, `sampler`, `empty_prompt`, `masked_picture` and `known_names`.
    """
    folder = Path(folder)
    vocab_size = write_clip_tokenizer(folder / "tokenizer", pad=pad, places=places)
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(16, 32, 32, 32),
            layers_per_block=1,
            norm_num_groups=8,
            latent_channels=4,
            sample_size=size,
            scaling_factor=scaling_factor,
        )
        denoiser = UNet2DConditionModel(sample_size=size // 8, in_channels=9 if inpaint else 4, **unet)
        text_encoder = CLIPTextModel(_text_config(vocab_size, 32, act, places))
        if second:
            text_encoder_2 = CLIPTextModelWithProjection(_text_config(vocab_size, 48, "gelu", places))
    finally:
        torch.random.set_rng_state(state)
    scheduler = DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction_type,
        rescale_betas_zero_snr=zero_terminal_snr,
        timestep_spacing="trailing" if zero_terminal_snr else "leading",
    )
    vae.save_pretrained(folder / "vae", safe_serialization=True)
    denoiser.save_pretrained(folder / "unet", safe_serialization=True)
    text_encoder.save_pretrained(folder / "text_encoder")
    scheduler.save_pretrained(folder / "scheduler")
    index = {
        "_class_name": f"StableDiffusion{'XL' if second else ''}{'Inpaint' if inpaint else ''}Pipeline",
        "_diffusers_version": "0.42.1",
        "vae": ["diffusers", "AutoencoderKL"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
    }
    if second:
        text_encoder_2.save_pretrained(folder / "text_encoder_2")
        write_clip_tokenizer(folder / "tokenizer_2", pad="!", places=places)
        index["text_encoder_2"] = ["transformers", "CLIPTextModelWithProjection"]
        index["tokenizer_2"] = ["transformers", "CLIPTokenizer"]
    card = {
        "name": folder.name,
        "family": family,
        "native_pixels": size * size,
        "native_size": size,
        "known_names": list(known_names),
        "empty_prompt": empty_prompt,
        "masked_picture": masked_picture,
        "default_steps": steps,
        "default_guidance": 3.0,
        "sampler": sampler,
        "notes": "Random weights, for tests.",
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")
    (folder / "card.json").write_text(json.dumps(card, indent=2), encoding="utf-8")
    return folder


def _text_config(vocab_size: int, width: int, act: str, places: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=places,
        projection_dim=width,
        hidden_act=act,
        bos_token_id=vocab_size - 2,
        eos_token_id=vocab_size - 1,
        pad_token_id=vocab_size - 1,
    )
