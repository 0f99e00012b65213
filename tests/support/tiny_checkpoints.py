"""Tiny seeded checkpoints of real architecture: diffusers folders that go through the same path as gigabyte ones.

Their weights are random, so their pictures mean nothing; what they show is that every door between the wire and the
layer is the real one. A build takes about a second, a four-step fill at their native size a fraction of one.
"""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

__all__ = ["TINY_WORDS", "build_tiny_sd1"]

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


def _byte_alphabet() -> list[str]:
    """The 256 printable stand-ins that byte-level BPE (GPT-2) writes bytes with."""
    kept = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in kept]
    return [chr(byte) for byte in kept] + [chr(256 + index) for index in range(len(moved))]


def _write_tokenizer(folder: Path) -> int:
    """Writes a CLIP tokenizer whose vocabulary is the bytes and TINY_WORDS; returns the vocabulary's size."""
    alphabet = _byte_alphabet()
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
    CLIPTokenizer(vocab=vocab, merges=[tuple(m.split(" ")) for m in merges], model_max_length=77).save_pretrained(
        folder
    )
    return len(vocab)


def build_tiny_sd1(
    folder: Path,
    *,
    inpaint: bool,
    seed: int = 0,
    prediction_type: str = "epsilon",
    size: int = 64,
    steps: int = 4,
    sampler: str = "DDIM",
    empty_prompt: str = "denoise",
    known_names: tuple[str, ...] = (),
    zero_terminal_snr: bool = False,
) -> Path:
    """Writes a tiny SD1 checkpoint of random weights, seeded by `seed`, as a diffusers folder; returns the folder.

    `inpaint` gives the UNet nine input channels instead of four; `size` is the native edge in pixels, a multiple of 8,
    and stands in the card with `steps`, `sampler`, `empty_prompt` and `known_names`.
    """
    folder = Path(folder)
    vocab_size = _write_tokenizer(folder / "tokenizer")
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
        )
        unet = UNet2DConditionModel(
            sample_size=size // 8,
            in_channels=9 if inpaint else 4,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            block_out_channels=(32, 64),
            layers_per_block=1,
            norm_num_groups=8,
            attention_head_dim=4,
            cross_attention_dim=32,
        )
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=vocab_size,
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=77,
                projection_dim=32,
                bos_token_id=vocab_size - 2,
                eos_token_id=vocab_size - 1,
                pad_token_id=vocab_size - 1,
            )
        )
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
    unet.save_pretrained(folder / "unet", safe_serialization=True)
    text_encoder.save_pretrained(folder / "text_encoder")
    scheduler.save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionInpaintPipeline" if inpaint else "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "vae": ["diffusers", "AutoencoderKL"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
    }
    card = {
        "name": folder.name,
        "family": "SD1",
        "native_pixels": size * size,
        "native_size": size,
        "known_names": list(known_names),
        "empty_prompt": empty_prompt,
        "default_steps": steps,
        "default_guidance": 3.0,
        "sampler": sampler,
        "notes": "Random weights, for tests.",
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")
    (folder / "card.json").write_text(json.dumps(card, indent=2), encoding="utf-8")
    return folder
