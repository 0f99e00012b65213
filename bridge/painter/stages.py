"""The stages of a job: announced, timed, and each begun only if nobody has cancelled."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import torch

from ..diffusion import GuideFiles, LatentModel, PreviewMaker, check_takes
from .hints import about_placement
from .oom_guard import OomGuard
from .request import Hooks, ModelSource, Request

__all__ = ["Stages", "after", "load", "previews", "show"]

_LONGEST_SIDE = 1024


class Stages:
    """Keeps a job's clock. `timings` has the seconds of each stage."""

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks
        self.timings: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str, steps: int = 1) -> Iterator[Callable[[int], None]]:
        """Announces the stage's beginning and end; gives what is called with the number of steps done in between."""
        done = 0

        def advance(step: int) -> None:
            nonlocal done
            done = step
            self.hooks.stage(name, step, steps)

        self.hooks.check()
        advance(0)
        started = time.perf_counter()
        yield advance
        self.timings[name] = time.perf_counter() - started
        if done < steps:
            advance(steps)


def load(
    request: Request, source: ModelSource, stages: Stages, guard: OomGuard
) -> tuple[LatentModel, Mapping[GuideFiles, Any]]:
    """The stage "load", whose steps are the model's parts: the model, and the networks of the request's guides.

    What is placed anew so that it fits is told once, by a hint.
    """
    read = 0

    def loaded(parts: int) -> None:
        nonlocal read
        read = parts
        advance(parts)

    with stages("load", len(source.checkpoint.family.weighted_parts)) as advance:
        model = guard.retry(lambda: source.load(stages.hooks.check, loaded))
        if read:
            guard.hints = about_placement(source.checkpoint, source.placement)
        guides = request.guides
        if not guides:
            return model, {}
        for guide in guides:
            check_takes(model, guide)
        return model, dict(zip(guides, guard.retry(lambda: source.guides(guides, stages.hooks.check)), strict=True))


def after(advance: Callable[[int], None], done: int) -> Callable[[int], None]:
    """Counts the steps of a part of a stage, of which `done` lie before that part."""
    return lambda step: advance(done + step)


def previews(
    model: LatentModel, request: Request, shows: Callable[[np.ndarray, int], None]
) -> Callable[[torch.Tensor, int], None]:
    """What is called with estimates of the clean latents (c, h, w) and steps, and shows them where that is wanted."""
    return PreviewMaker(model.latent_to_rgb, model.pixels_per_latent, shows) if request.previews else lambda *_: None


def show(picture: np.ndarray, step: int, request: Request, hooks: Hooks) -> None:
    """Shows a picture (h, w, 3) of the context that is painted but not yet refined, where previews are wanted."""
    if request.previews:
        factor = min(1.0, _LONGEST_SIDE / max(picture.shape))
        small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        hooks.preview((small.clip(0, 1) * 255 + 0.5).astype(np.uint8), step)
