"""A job's conditions: pictures that guide the model, at the size of whatever plane is denoised."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..canvas.geometry import Size
from ..canvas.guides import drawn_lines, label_colours, resized_labels, resized_lines
from ..canvas.resample import resize
from ..diffusion import Control, acts
from .request import Condition, Hooks, Model, Request
from .room import Room

__all__ = ["Guides", "load_guides"]

Resize = Callable[[np.ndarray, Size], np.ndarray]
Fit = Callable[[np.ndarray, Resize], np.ndarray]
"""Brings an array of the context, (h, w) or (h, w, c), to a plane's pixels, resizing as it is told."""


@dataclass(frozen=True)
class Guides:
    """Conditions, and the ControlNets that hear them, in memory."""

    conditions: tuple[Condition, ...]
    nets: tuple[Any, ...]

    def at(self, fit: Fit) -> tuple[Control, ...]:
        """What guides the denoising of a plane."""
        return tuple(_control(one, net, fit) for one, net in zip(self.conditions, self.nets, strict=True))

    def hints(self, steps: int) -> tuple[str, ...]:
        """A hint for each condition that counts in none of so many steps."""
        return tuple(
            f"The {one.kind.replace('_', ' ')} had no effect: none of the {steps} steps lies within {one.start:g} to "
            f"{one.end:g} of the denoising. Widen its range, or take more steps."
            for one in self.conditions
            if one.strength > 0 and not any(acts(one, step, steps) for step in range(steps))
        )


def load_guides(request: Request, model: Model, room: Room, hooks: Hooks) -> Guides:
    """The job's ControlNets from the cache or from disk. Raises ConditionUnsupported where one does not fit."""
    nets = [condition.net for condition in request.conditions]
    distinct = list(dict.fromkeys(nets))
    if not distinct:
        # Those of the job before stay, for the next one that may use them.
        return Guides((), ())
    loaded = dict(zip(distinct, room.twice(lambda: model.controlnets(distinct, hooks.check)), strict=True))
    return Guides(request.conditions, tuple(loaded[net] for net in nets))


def _control(condition: Condition, net: Any, fit: Fit) -> Control:
    if condition.kind == "label_map":
        shown = fit(label_colours(condition.picture), resized_labels)
    else:
        shown = np.repeat(fit(drawn_lines(condition.picture), resized_lines)[..., None], 3, axis=2)
    mask = None if condition.mask is None else _tensor(fit(condition.mask, resize)[..., None])
    return Control(net, _tensor(shown), condition.strength, condition.start, condition.end, mask)


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).permute(2, 0, 1)[None]
