"""A job's conditions: pictures that guide the model, at the size of whatever plane is denoised."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ..canvas.geometry import Size
from ..canvas.guides import drawn_lines, label_colours, resized_labels, resized_lines
from ..canvas.resample import resize
from ..control_kinds import PictureReading
from ..diffusion import WeightedConditioner, guide_loader
from ..models import control_kind
from .request import Condition

__all__ = ["Fit", "prepare_conditioners"]

Resize = Callable[[np.ndarray, Size], np.ndarray]
Fit = Callable[[np.ndarray, Resize], np.ndarray]
"""Brings an array of the context, (h, w) or (h, w, c), to a plane's pixels, resizing as it is told."""


def prepare_conditioners(
    conditions: Sequence[Condition], networks: Sequence[Any], fit: Fit
) -> tuple[WeightedConditioner, ...]:
    """What guides the denoising of a plane: each condition with the network that was loaded for it."""
    return tuple(_prepared(one, network, fit) for one, network in zip(conditions, networks, strict=True))


def _prepared(condition: Condition, network: Any, fit: Fit) -> WeightedConditioner:
    picture = _READINGS[control_kind(condition.kind).reading](condition.picture, fit)
    return WeightedConditioner(
        guide_loader(condition.guide).prepare(network, _tensor(picture)),
        condition.strength,
        condition.start,
        condition.end,
        None if condition.mask is None else _tensor(fit(condition.mask, resize)[..., None]),
    )


def _lines(picture: np.ndarray, fit: Fit) -> np.ndarray:
    return np.repeat(fit(drawn_lines(picture), resized_lines)[..., None], 3, axis=2)


def _labels(picture: np.ndarray, fit: Fit) -> np.ndarray:
    return fit(label_colours(picture), resized_labels)


_READINGS: dict[PictureReading, Callable[[np.ndarray, Fit], np.ndarray]] = {
    PictureReading.DRAWN_LINES: _lines,
    PictureReading.LABEL_COLOURS: _labels,
}


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).permute(2, 0, 1)[None]
