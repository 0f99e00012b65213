"""A job whose pictures are asked for in different words: painted part by part, and followed as one."""

from collections.abc import Sequence

import numpy as np

from .request import Hooks, ModelSource, Painting, Request

__all__ = ["Part", "PartHooks", "together"]

Part = tuple[Request, ModelSource]
"""Pictures of a job that differ in nothing but their seed, and the checkpoint with the LoRAs that they want."""


class PartHooks:
    """A part's steps, told as steps of the whole job. All pictures are taken to be as much work as this part's."""

    def __init__(self, hooks: Hooks, *, before: int, of: int, pictures: int) -> None:
        """Of the `of` pictures of the job `before` belong to the parts before, `pictures` to this one."""
        self._hooks = hooks
        self._before = before
        self._of = of
        self._pictures = pictures

    def stage(self, name: str, step: int, steps: int) -> None:
        """As `Hooks.stage`."""
        self._hooks.stage(name, self._whole(self._before, steps) + step, self._whole(self._of, steps))

    def preview(self, rgb: np.ndarray, step: int) -> None:
        """As `Hooks.preview`."""
        self._hooks.preview(rgb, step)

    def check(self) -> None:
        """As `Hooks.check`."""
        self._hooks.check()

    def _whole(self, pictures: int, steps: int) -> int:
        return pictures * steps // self._pictures


def together(paintings: Sequence[Painting]) -> Painting:
    """The parts as one painting. Its layers are part by part."""
    timings: dict[str, float] = {}
    for painting in paintings:
        for name, seconds in painting.timings.items():
            timings[name] = timings.get(name, 0.0) + seconds
    layers = tuple(layer for painting in paintings for layer in painting.layers)
    return Painting(layers, timings, tuple(dict.fromkeys(hint for painting in paintings for hint in painting.hints)))
