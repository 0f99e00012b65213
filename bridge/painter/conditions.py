"""A job's conditions: pictures that guide the model, at the size of whatever plane is denoised."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..canvas.fitting import Resize
from ..canvas.guides import read_guide
from ..canvas.resample import resize
from ..diffusion import GuideFiles, GuideInput, LatentModel, WeightedConditioner, guide_loader
from ..models import control_kind
from .request import Condition, InpaintingGuide

__all__ = ["Fit", "Networks", "prepare_conditioners", "prepare_inpainting"]

Networks = Mapping[GuideFiles, Any]
"""What was loaded for each guide."""

Fit = Callable[[np.ndarray, Resize], np.ndarray]
"""Brings an array of the context, (h, w) or (h, w, c), to a plane's pixels, resizing as it is told."""


def prepare_conditioners(
    conditions: Sequence[Condition], networks: Networks, model: LatentModel, fit: Fit
) -> tuple[WeightedConditioner, ...]:
    """What guides the denoising of a plane: each condition with the network that was loaded for its guide."""
    return tuple(_prepared(one, networks[one.guide], model, fit) for one in conditions)


def prepare_inpainting(
    inpainting: InpaintingGuide, networks: Networks, model: LatentModel, picture: np.ndarray, mask: np.ndarray
) -> WeightedConditioner:
    """The guide of a fill: shown the plane's `picture` (h, w, 3), 0..1, of which `mask` (h, w) is 1 where it is
    repainted.
    """
    shown = GuideInput(_tensor(picture), None, _tensor(mask[..., None]))
    return WeightedConditioner(
        guide_loader(inpainting.guide).prepare(networks[inpainting.guide], shown, model),
        inpainting.strength,
        inpainting.start,
        inpainting.end,
    )


def _prepared(condition: Condition, network: Any, model: LatentModel, fit: Fit) -> WeightedConditioner:
    picture = read_guide(condition.picture, control_kind(condition.kind).reading, fit)
    return WeightedConditioner(
        guide_loader(condition.guide).prepare(network, GuideInput(_tensor(picture), condition.kind), model),
        condition.strength,
        condition.start,
        condition.end,
        None if condition.mask is None else _tensor(fit(condition.mask, resize)[..., None]),
    )


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).permute(2, 0, 1)[None]
