"""CLIP's byte-pair vocabulary, cut to what a small checkpoint needs, and a small text encoder of CLIP's kind.

Radford et al. 2021 (arXiv:2103.00020). A caption's words become the same tokens as with the whole vocabulary, because
every merge that they need is kept; other words become smaller tokens.
"""

import gzip
import itertools
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from .sources import SOURCES, fetch

__all__ = ["captions_of", "cut_merges", "new_text_encoder", "read_merges", "words_of", "write_tokenizer"]

START, END = "<|startoftext|>", "<|endoftext|>"
MEMBER = "clip/bpe_simple_vocab_16e6.txt.gz"
CLIP_MERGES = 49152 - 256 - 2


def captions_of(thing: dict[str, Any]) -> list[str]:
    """What a thing is called in training: its name, with and without article, as often as all its other names."""
    article = "an" if thing["name"][0] in "aeiou" else "a"
    return [thing["name"], thing["name"], f"{article} {thing['name']}", *thing["also"]]


def read_merges(folder: Path) -> list[tuple[str, str]]:
    """CLIP's merges, most frequent first."""
    with zipfile.ZipFile(fetch(SOURCES["clip-anytorch"], folder)) as wheel:
        lines = gzip.decompress(wheel.read(MEMBER)).decode().split("\n")
    return [(line.split()[0], line.split()[1]) for line in lines[1 : CLIP_MERGES - 256 + 1]]


def cut_merges(merges: list[tuple[str, str]], words: set[str], kept: int) -> list[tuple[str, str]]:
    """The first ``kept`` merges and every merge that encoding one of ``words`` applies, in their order."""
    ranks = {merge: rank for rank, merge in enumerate(merges)}
    needed = set(range(min(kept, len(merges))))
    for word in words:
        pieces = [*word[:-1], word[-1] + "</w>"]
        while True:
            pairs = [(ranks[pair], pair) for pair in itertools.pairwise(pieces) if pair in ranks]
            if not pairs:
                break
            rank, (left, right) = min(pairs)
            needed.add(rank)
            joined, at = [], 0
            while at < len(pieces):
                if pieces[at : at + 2] == [left, right]:
                    joined.append(left + right)
                    at += 2
                else:
                    joined.append(pieces[at])
                    at += 1
            pieces = joined
    return [merges[rank] for rank in sorted(needed)]


def _byte_letters() -> list[str]:
    """The 256 characters that stand for bytes in CLIP's vocabulary, in its order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = len([byte for byte in range(256) if byte not in printable])
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(rest)]


def write_tokenizer(folder: Path, merges: list[tuple[str, str]], places: int) -> CLIPTokenizer:
    """Write vocab.json, merges.txt and their configurations into ``folder``, and read them back as a tokenizer."""
    letters = _byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), *("".join(merge) for merge in merges), START, END]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "pad_token": END, "unk_token": END}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": places, "do_lower_case": True, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder)
    return tokenizer


def new_text_encoder(tokenizer: CLIPTokenizer, *, width: int, layers: int, heads: int, places: int) -> CLIPTextModel:
    """A fresh text encoder of CLIP's architecture."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=places,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def words_of(captions: list[str]) -> set[str]:
    """The words that captions are made of."""
    return {word for caption in captions for word in re.findall(r"[a-z]+", caption.lower())}
