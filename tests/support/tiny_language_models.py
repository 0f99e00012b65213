"""Tiny seeded language models: Qwen3 of random weights with a tokenizer of its kind, as parts of diffusers folders."""

import json
from pathlib import Path
from typing import Any

import torch
from tiny_checkpoints import TINY_WORDS, byte_alphabet
from transformers import AddedToken, Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

__all__ = ["build_tiny_qwen3", "build_tiny_qwen3_tokenizer"]

_SPACE = "Ġ"
_WORDS = ("user", "assistant", "think", *TINY_WORDS)
# What Qwen3's own template makes of one turn of a user's, and of nothing else.
_CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}"
    "{%- endif %}{%- endif %}"
)


def build_tiny_qwen3_tokenizer(folder: Path) -> int:
    """Writes a tokenizer whose vocabulary is the bytes and TINY_WORDS, with and without a space before; returns the
    vocabulary's size.
    """
    vocab = {token: index for index, token in enumerate(byte_alphabet())}
    merges: list[tuple[str, str]] = []
    for word in (*_WORDS, *(_SPACE + word for word in _WORDS)):
        pieces = list(word)
        while len(pieces) > 1:
            left, right = pieces[-2], pieces[-1]
            if (left, right) not in merges:
                merges.append((left, right))
            vocab.setdefault(left + right, len(vocab))
            pieces[-2:] = [left + right]
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=merges, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.add_tokens([AddedToken(token, special=True) for token in ("<|im_start|>", "<|im_end|>")])
    tokenizer.add_tokens([AddedToken(token, special=False) for token in ("<think>", "</think>")])
    tokenizer.chat_template = _CHAT_TEMPLATE
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def build_tiny_qwen3(folder: Path, *, seed: int = 0, width: int = 16, layers: int = 28, **options: Any) -> Path:
    """Writes `text_encoder` and `tokenizer` into a folder, weights seeded by `seed`; returns the folder.

    There are as many `layers` as FLUX.2 Klein reads; `options` are those of `Qwen3Config`.
    """
    vocab_size = build_tiny_qwen3_tokenizer(folder / "tokenizer")
    config = {
        "vocab_size": vocab_size, "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 2048,
        "tie_word_embeddings": True, "initializer_range": 0.3, **options,
    }  # fmt: skip
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(Qwen3Config(**config))
    finally:
        torch.random.set_rng_state(state)
    model.save_pretrained(folder / "text_encoder")
    said = json.loads((folder / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    assert said["architectures"] == ["Qwen3ForCausalLM"]
    return folder
