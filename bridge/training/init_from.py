"""Initialises training from a checkpoint on disk, whose recipe may have named other things."""

import json
from pathlib import Path
from typing import cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from .errors import CheckpointUnfit

__all__ = ["load_initial_weights", "pictures_seen"]


def load_initial_weights(
    folder: Path,
    autoencoder: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> None:
    """Copy a diffusers folder's weights into the parts, and its latents' scale; raises ``CheckpointUnfit``.

    Where the tokenizers differ, a token keeps its embedding, whatever its id; new tokens keep their random ones.
    """
    try:
        known_text_encoder: CLIPTextModel = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        known_autoencoder = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
        known_unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
        before = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointUnfit(folder, "it is not a whole diffusers folder in safetensors") from error
    table, fresh = _embeddings(known_text_encoder), _embeddings(text_encoder)
    if table.shape[1] == fresh.shape[1]:
        known_text_encoder.set_input_embeddings(
            nn.Embedding.from_pretrained(_renumbered(table, before, fresh, tokenizer))
        )
    _copy(folder, "vae", known_autoencoder, autoencoder)
    _copy(folder, "unet", known_unet, unet)
    _copy(folder, "text encoder", known_text_encoder, text_encoder)
    autoencoder.register_to_config(scaling_factor=known_autoencoder.config["scaling_factor"])


def pictures_seen(folder: Path) -> dict[str, int]:
    """How many pictures each stage of a checkpoint was trained on, by its card; empty where there is none."""
    try:
        seen: dict[str, int] = json.loads((folder / "card.json").read_text(encoding="utf-8"))["pictures"]
    except (OSError, ValueError, KeyError):
        return {}
    return seen


def _embeddings(text_encoder: CLIPTextModel) -> Tensor:
    table: Tensor = cast(nn.Embedding, text_encoder.get_input_embeddings()).weight
    return table


@torch.no_grad()
def _renumbered(known: Tensor, before: CLIPTokenizer, fresh: Tensor, now: CLIPTokenizer) -> Tensor:
    """The embeddings of the tokens of ``now``: from ``known`` where ``before`` has them, the rest from ``fresh``."""
    table, numbers = fresh.clone(), before.get_vocab()
    for piece, number in now.get_vocab().items():
        if piece in numbers:
            table[number] = known[numbers[piece]]
    return table


@torch.no_grad()
def _copy(folder: Path, part: str, known: nn.Module, into: nn.Module) -> None:
    found = dict(known.named_parameters())
    for name, parameter in into.named_parameters():
        if name not in found or found[name].shape != parameter.shape:
            raise CheckpointUnfit(folder, f"its {part} has no {name} of the recipe's shape")
        parameter.copy_(found[name])
