"""Both stages on pictures of one's own (a studio's art, textures, medical pictures) in place of a recipe's things.

The recipe says everything else: sizes, steps, rates. Captions are the pictures' own, and the vocabulary is cut to them.
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

from bridge.training import build
from bridge.training.autoencoder import AutoencoderStage, new_autoencoder
from bridge.training.build import Models, assemble, scaling_factor
from bridge.training.compose import step_generator
from bridge.training.denoiser import DenoiserStage
from bridge.training.examples import Example, Examples
from bridge.training.lessons import Lesson, mask_somewhere
from bridge.training.lpips import Lpips
from bridge.training.text import cut_merges, words_of

__all__ = ["OwnAutoencoderStage", "OwnExamples", "autoencoder_stage", "card", "denoiser_stage", "models", "of_folder"]

# How often the mask is over everything: text to image.
MASK_OVER_ALL = 0.3


def of_folder(recipe: dict[str, Any], name: str, lessons: Sequence[Lesson]) -> dict[str, Any]:
    """The recipe for these pictures, by a name that tells them from others: states of one don't fit the other."""
    digest = hashlib.sha256()
    for lesson in lessons:
        digest.update(lesson.pixels.tobytes() + lesson.caption.encode())
    return recipe | {"name": f"{name} {digest.hexdigest()[:16]}", "things": []}


def crop(rng: np.random.Generator, size: int, lesson: Lesson, least: float) -> np.ndarray:
    """A square of the picture (size, size, 3), its side between ``least`` of the shorter edge and all of that."""
    height, width = lesson.size
    short = min(height, width)
    side = round(short * np.exp(rng.uniform(np.log(least), 0)))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    cut = lesson.pixels[top : top + side, left : left + side]
    return cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC)


def any_crop(rng: np.random.Generator, size: int, lessons: Sequence[Lesson]) -> np.ndarray:
    """A square of any picture, at any scale down to its own pixels."""
    lesson = lessons[int(rng.integers(len(lessons)))]
    return crop(rng, size, lesson, min(1.0, size / min(lesson.size)))


class OwnAutoencoderStage(AutoencoderStage):
    """The first stage, on squares of one's own pictures."""

    def __init__(self, autoencoder: AutoencoderKL, lpips: Lpips, lessons: Sequence[Lesson], **options: Any) -> None:
        super().__init__(autoencoder, lpips, cutouts=[], named=[], photographs=[], **options)
        self._lessons = lessons

    def _picture(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return any_crop(rng, size, self._lessons)


class OwnExamples(Examples):
    """Squares of one's own pictures under masks that artists draw; each picture is a thing of its own."""

    def __init__(self, autoencoder: AutoencoderKL, lessons: Sequence[Lesson], **options: Any) -> None:
        super().__init__(autoencoder, [], [], sides=(1.0, 1.0), **options)
        self._lessons = lessons

    def _made(self, index: int) -> Example:
        rng = step_generator(self.seed, index, self.size)
        number = index % len(self._lessons)
        picture = crop(rng, self.size, self._lessons[number], 0.7)
        everything = np.ones((self.size, self.size), np.float32)
        over_all = rng.random() < MASK_OVER_ALL
        mask = everything.astype(bool) if over_all else mask_somewhere(rng, self.size, self.size)
        return Example(picture, mask, everything, number)


def models(
    recipe: dict[str, Any],
    work: Path,
    merges: list[tuple[str, str]],
    lessons: Sequence[Lesson],
    begun: Path | None = None,
) -> Models:
    """As :func:`.build.models`, for captions of one's own; ``merges`` are CLIP's, all of them."""
    words = words_of([lesson.caption for lesson in lessons])
    rng = step_generator(recipe["seed"] + 2, 0)

    def scale(autoencoder: AutoencoderKL) -> float:
        return scaling_factor(autoencoder, partial(any_crop, rng, 128, lessons))

    return assemble(recipe, work, cut_merges(merges, words, recipe["text_encoder"]["merges"]), scale, begun)


def autoencoder_stage(
    recipe: dict[str, Any], lpips: Lpips, lessons: Sequence[Lesson], refined: AutoencoderKL | None = None
) -> OwnAutoencoderStage:
    """As :func:`.build.autoencoder_stage`."""
    said = recipe["autoencoder"] | (recipe["decoder"] if refined else {})
    torch.manual_seed(recipe["seed"])
    return OwnAutoencoderStage(
        refined or new_autoencoder(tuple(said["channels"])),
        lpips,
        lessons,
        decoder_only=refined is not None,
        **build.autoencoder_options(recipe, said),
    )


def denoiser_stage(recipe: dict[str, Any], built: Models, lessons: Sequence[Lesson]) -> DenoiserStage:
    """As :func:`.build.denoiser_stage`."""
    said = recipe["denoiser"]
    phases: list[tuple[int, Examples, int]] = [
        (
            phase["steps"],
            OwnExamples(built.autoencoder, lessons, size=phase["size"], count=phase["examples"], seed=recipe["seed"]),
            phase["batch"],
        )
        for phase in said["phases"]
    ]
    return DenoiserStage(
        built.unet,
        built.text_encoder,
        built.tokenizer,
        captions=[[lesson.caption] for lesson in lessons],
        phases=phases,
        **build.denoiser_options(recipe),
    )


def card(told: dict[str, Any], folder: str, lessons: Sequence[Lesson]) -> dict[str, Any]:
    """The checkpoint's card, of what ``export`` would tell of a recipe's."""
    captions = sorted({lesson.caption for lesson in lessons if lesson.caption})
    return told | {
        "name": folder,
        "known_names": captions[:64],
        "empty_prompt": "denoise",
        "masked_picture": "grey",
        "notes": f"Trained on {len(lessons)} pictures of {folder}, and knows nothing else.",
    }
