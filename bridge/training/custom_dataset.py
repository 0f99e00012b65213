"""Both stages on a user's own images (a studio's art, textures, medical images) in place of a recipe's things.

The recipe says everything else: sizes, steps, rates. Captions are the images' own, and the vocabulary is cut to them.
Nothing is mirrored: in many domains left is not right.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from . import build
from .autoencoder import AutoencoderStage, new_autoencoder
from .build import Models, assemble, scaling_factor
from .compose import step_generator
from .dataset import TrainingImage, random_mask
from .denoiser import DenoiserStage
from .examples import Example, Examples
from .lpips import Lpips
from .text import cut_merges, words_of

__all__ = [
    "CustomAutoencoderStage",
    "CustomExamples",
    "autoencoder_stage",
    "card",
    "denoiser_stage",
    "models",
    "recipe_for_folder",
]

# How often the mask is over everything: text to image.
MASK_OVER_ALL = 0.3


def recipe_for_folder(recipe: dict[str, Any], name: str, dataset: Sequence[TrainingImage]) -> dict[str, Any]:
    """The recipe for these images, with their hash in its name: a training state fits no other dataset."""
    digest = hashlib.sha256()
    for image in dataset:
        digest.update(image.pixels.tobytes() + image.caption.encode())
    return recipe | {"name": f"{name} {digest.hexdigest()[:16]}", "things": []}


def square_crop(rng: np.random.Generator, size: int, image: TrainingImage, least: float) -> np.ndarray:
    """A square of the image (size, size, 3), its side between ``least`` of the shorter edge and all of that."""
    height, width = image.size
    short = min(height, width)
    side = round(short * np.exp(rng.uniform(np.log(least), 0)))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    cut = image.pixels[top : top + side, left : left + side]
    return cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC)


def random_crop(rng: np.random.Generator, size: int, dataset: Sequence[TrainingImage]) -> np.ndarray:
    """A square of a random image, at any scale down to its own pixels."""
    image = dataset[int(rng.integers(len(dataset)))]
    return square_crop(rng, size, image, min(1.0, size / min(image.size)))


class CustomAutoencoderStage(AutoencoderStage):
    """The first stage, on squares of the dataset's images."""

    def __init__(
        self, autoencoder: AutoencoderKL, lpips: Lpips, dataset: Sequence[TrainingImage], **options: Any
    ) -> None:
        super().__init__(autoencoder, lpips, cutouts=[], named=[], photographs=[], **options)
        self._dataset = dataset

    def _picture(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return random_crop(rng, size, self._dataset)


class CustomExamples(Examples):
    """Squares of the dataset's images under masks that artists draw; each image is a thing of its own."""

    def __init__(self, autoencoder: AutoencoderKL, dataset: Sequence[TrainingImage], **options: Any) -> None:
        super().__init__(autoencoder, [], [], sides=(1.0, 1.0), **options)
        self._dataset = dataset

    def _made(self, index: int) -> Example:
        rng = step_generator(self.seed, index, self.size)
        number = index % len(self._dataset)
        picture = square_crop(rng, self.size, self._dataset[number], 0.7)
        everything = np.ones((self.size, self.size), np.float32)
        over_all = rng.random() < MASK_OVER_ALL
        mask = everything.astype(bool) if over_all else random_mask(rng, self.size, self.size)
        return Example(picture, mask, everything, number)


def models(
    recipe: dict[str, Any],
    work: Path,
    merges: list[tuple[str, str]],
    dataset: Sequence[TrainingImage],
    init_from: Path | None = None,
) -> Models:
    """As :func:`.build.models`, for the dataset's captions; ``merges`` are all of CLIP's."""
    words = words_of([image.caption for image in dataset])
    rng = step_generator(recipe["seed"] + 2, 0)

    def scale(autoencoder: AutoencoderKL) -> float:
        return scaling_factor(autoencoder, partial(random_crop, rng, 128, dataset))

    return assemble(recipe, work, cut_merges(merges, words, recipe["text_encoder"]["merges"]), scale, init_from)


def autoencoder_stage(
    recipe: dict[str, Any], lpips: Lpips, dataset: Sequence[TrainingImage], refined: AutoencoderKL | None = None
) -> CustomAutoencoderStage:
    """As :func:`.build.autoencoder_stage`."""
    config = recipe["autoencoder"] | (recipe["decoder"] if refined else {})
    torch.manual_seed(recipe["seed"])
    return CustomAutoencoderStage(
        refined or new_autoencoder(tuple(config["channels"])),
        lpips,
        dataset,
        decoder_only=refined is not None,
        **build.autoencoder_options(recipe, config),
    )


def denoiser_stage(recipe: dict[str, Any], built: Models, dataset: Sequence[TrainingImage]) -> DenoiserStage:
    """As :func:`.build.denoiser_stage`."""
    config = recipe["denoiser"]
    phases: list[tuple[int, Examples, int]] = [
        (
            phase["steps"],
            CustomExamples(
                built.autoencoder, dataset, size=phase["size"], count=phase["examples"], seed=recipe["seed"]
            ),
            phase["batch"],
        )
        for phase in config["phases"]
    ]
    return DenoiserStage(
        built.unet,
        built.text_encoder,
        built.tokenizer,
        captions=[[image.caption] for image in dataset],
        phases=phases,
        **build.denoiser_options(recipe),
    )


def card(exported: dict[str, Any], folder: str, dataset: Sequence[TrainingImage]) -> dict[str, Any]:
    """The checkpoint's card, made from the one that ``export`` writes for a recipe."""
    captions = sorted({image.caption for image in dataset if image.caption})
    return exported | {
        "name": folder,
        "known_names": captions[:64],
        "empty_prompt": "denoise",
        "masked_picture": "grey",
        "notes": f"Trained on {len(dataset)} pictures of {folder}, and knows nothing else.",
    }
