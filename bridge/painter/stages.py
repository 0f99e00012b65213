"""The stages of a job: announced, timed, and each begun only if nobody has cancelled."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from ..diffusion import Components, PreviewMaker
from .request import Hooks, Request

__all__ = ["Stages", "after", "previews"]


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


def after(advance: Callable[[int], None], done: int) -> Callable[[int], None]:
    """Counts the steps of a part of a stage, of which `done` lie before that part."""
    return lambda step: advance(done + step)


def previews(components: Components, request: Request, hooks: Hooks) -> Callable[[torch.Tensor, int], None]:
    """What is called with estimates of the clean latents (c, h, w) and steps, and shows them where that is wanted."""
    return PreviewMaker(components.latent_to_rgb, hooks.preview) if request.previews else lambda *_: None
