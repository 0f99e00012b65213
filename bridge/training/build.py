"""From a recipe and a work folder to the models in them: fresh, or as far as they have been trained."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from ..errors import Sentence
from . import recipe as recipes
from .autoencoder import AutoencoderStage, new_autoencoder, picture_for_autoencoder, to_tensor
from .compose import step_generator
from .denoiser import DenoiserStage, new_unet
from .errors import StateInvalid
from .examples import Examples
from .init_from import load_initial_weights, pictures_seen
from .lpips import Lpips
from .mini_dataset import Cutout, Photograph
from .state import tensors_of
from .text import captions_of, cut_merges, new_text_encoder, read_merges, words_of, write_tokenizer

__all__ = [
    "Models",
    "assemble",
    "autoencoder_options",
    "autoencoder_stage",
    "denoiser_options",
    "denoiser_stage",
    "models",
    "named",
    "scaling_factor",
]


@dataclass(frozen=True)
class Models:
    """A checkpoint's parts, and how many pictures each stage was trained on, with those of the checkpoint that training
    was initialised from.
    """

    autoencoder: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    pictures: dict[str, int]


def named(recipe: dict[str, Any], among: list[Cutout]) -> list[Cutout]:
    """The recipe's things, in its order."""
    by_code = {cutout.code: cutout for cutout in among}
    return [by_code[thing["code"]] for thing in recipe["things"]]


def models(
    recipe: dict[str, Any],
    work: Path,
    data: Path,
    cutouts: list[Cutout],
    photographs: list[Photograph],
    init_from: Path | None = None,
) -> Models:
    """As :func:`assemble`, for the recipe's things."""
    words = words_of([text for thing in recipe["things"] for text in captions_of(thing)])
    merges = cut_merges(read_merges(data), words, recipe["text_encoder"]["merges"])
    scale = partial(_scaling_factor, recipe=recipe, cutouts=cutouts, photographs=photographs)
    return assemble(recipe, work, merges, scale, init_from)


def assemble(
    recipe: dict[str, Any],
    work: Path,
    merges: list[tuple[str, str]],
    scale: Callable[[AutoencoderKL], float],
    init_from: Path | None = None,
) -> Models:
    """Build every part with its averaged weights from the states in ``work``, or where there is none yet those of the
    checkpoint ``init_from``, or fresh. ``scale`` tells how its latents are to be scaled."""
    torch.manual_seed(recipe["seed"])
    autoencoder = new_autoencoder(tuple(recipe["autoencoder"]["channels"]))
    config = recipe["text_encoder"]
    tokenizer = write_tokenizer(work / "tokenizer", merges, config["places"])
    sizes = {key: config[key] for key in ("width", "layers", "heads", "places")}
    text_encoder = new_text_encoder(tokenizer, **sizes)
    unet = new_unet(tuple(recipe["denoiser"]["channels"]), recipe["denoiser"]["heads"], config["width"])
    if init_from:
        load_initial_weights(init_from, autoencoder, unet, text_encoder, tokenizer)
    autoencoder_step = _averaged({"autoencoder": autoencoder}, work / "autoencoder.safetensors")
    decoder_step = _averaged({"autoencoder.decoder": autoencoder.decoder}, work / "decoder.safetensors")
    if autoencoder_step or not init_from:
        autoencoder.register_to_config(scaling_factor=scale(autoencoder))
    autoencoder.eval().requires_grad_(False)
    denoiser_step = _averaged({"unet": unet, "text_encoder": text_encoder}, work / "denoiser.safetensors")
    steps = {"autoencoder": autoencoder_step, "denoiser": denoiser_step, "decoder": decoder_step}
    before = pictures_seen(init_from) if init_from else {}
    seen = {stage: before.get(stage, 0) + recipes.pictures(recipe[stage], step) for stage, step in steps.items()}
    return Models(autoencoder, unet, text_encoder, tokenizer, seen)


@torch.no_grad()
def _averaged(parts: dict[str, nn.Module], path: Path) -> int:
    """Copy a state's averaged weights into the parts; returns its step, 0 without one."""
    if not path.exists():
        return 0
    tensors, metadata = tensors_of(path)
    for prefix, part in parts.items():
        for name, parameter in part.named_parameters():
            average: Tensor | None = tensors.get(f"average.{prefix}.{name}")
            if average is None or average.shape != parameter.shape:
                raise StateInvalid(
                    path, Sentence("it has no {prefix}.{name} of the recipe's shape", prefix=prefix, name=name)
                )
            parameter.copy_(average)
    return int(metadata["step"])


def _scaling_factor(
    autoencoder: AutoencoderKL, recipe: dict[str, Any], cutouts: list[Cutout], photographs: list[Photograph]
) -> float:
    """As :func:`scaling_factor`, on pictures of the kind that it was trained on."""
    things = named(recipe, cutouts)
    rng = step_generator(recipe["seed"] + 2, 0)
    return scaling_factor(autoencoder, lambda: picture_for_autoencoder(rng, 128, cutouts, things, photographs))


@torch.no_grad()
def scaling_factor(autoencoder: AutoencoderKL, picture: Callable[[], np.ndarray]) -> float:
    """One over the latents' standard deviation, on 64 pictures."""
    deviations = []
    for _ in range(64):
        deviations.append(autoencoder.encode(to_tensor(picture()[None])).latent_dist.mode().square().mean())
    return round(float(torch.stack(deviations).mean().rsqrt()), 5)


def autoencoder_stage(
    recipe: dict[str, Any],
    lpips: Lpips,
    cutouts: list[Cutout],
    photographs: list[Photograph],
    refined: AutoencoderKL | None = None,
) -> AutoencoderStage:
    """The first stage as the recipe says; with ``refined``, the refinement of that autoencoder's decoder alone."""
    config = recipe["autoencoder"] | (recipe["decoder"] if refined else {})
    torch.manual_seed(recipe["seed"])
    return AutoencoderStage(
        refined or new_autoencoder(tuple(config["channels"])),
        lpips,
        cutouts=cutouts,
        named=named(recipe, cutouts),
        photographs=photographs,
        decoder_only=refined is not None,
        **autoencoder_options(recipe, config),
    )


def autoencoder_options(recipe: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """What a recipe says of how a stage of the autoencoder is trained, whatever on."""
    return {
        "phases": [(phase["steps"], phase["size"], phase["batch"]) for phase in config["phases"]],
        "seed": recipe["seed"],
        "lpips_weight": config["lpips_weight"],
        "kl_weight": config["kl_weight"],
    }


def denoiser_stage(
    recipe: dict[str, Any], built: Models, cutouts: list[Cutout], photographs: list[Photograph]
) -> DenoiserStage:
    """The second stage as the recipe says, on the autoencoder that ``built`` holds."""
    config = recipe["denoiser"]
    things = named(recipe, cutouts)
    phases = [
        (
            phase["steps"],
            Examples(
                built.autoencoder,
                things,
                photographs,
                size=phase["size"],
                count=phase["examples"],
                seed=recipe["seed"],
                sides=tuple(phase["sides"]),
                mirrored=config["mirrored"],
                shown=config["shown"],
            ),
            phase["batch"],
        )
        for phase in config["phases"]
    ]
    return DenoiserStage(
        built.unet,
        built.text_encoder,
        built.tokenizer,
        captions=[captions_of(thing) for thing in recipe["things"]],
        phases=phases,
        **denoiser_options(recipe),
    )


def denoiser_options(recipe: dict[str, Any]) -> dict[str, Any]:
    """What a recipe says of how the denoiser is trained, whatever on."""
    config = recipe["denoiser"]
    return {
        "seed": recipe["seed"],
        "caption_dropout": config["caption_dropout"],
        "outside_weight": config["outside_weight"],
    }
