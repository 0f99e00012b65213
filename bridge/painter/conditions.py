"""A job's conditions: pictures that guide the model, at the size of whatever plane is denoised."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch

from ..canvas.fitting import Resize
from ..canvas.guides import read_guide
from ..canvas.resample import resize
from ..diffusion import (
    Conditioner,
    GuideFiles,
    GuideInput,
    LatentModel,
    TakesReferences,
    WeightedConditioner,
    guide_loader,
)
from ..models import control_kind
from .references import reference_indices, shown_reference
from .request import Condition, InpaintingGuide, Request

__all__ = ["Fit", "Networks", "prepare_conditioners", "prepare_inpainting"]

Networks = Mapping[GuideFiles, Any]
"""What was loaded for each guide."""

Fit = Callable[[np.ndarray, Resize], np.ndarray]
"""Brings an array of the context, (h, w) or (h, w, c), to a plane's pixels, resizing as it is told."""


def prepare_conditioners(
    request: Request, networks: Networks, model: LatentModel, fit: Fit
) -> tuple[WeightedConditioner, ...]:
    """What guides the denoising of a plane: each condition with the network that was loaded for its guide."""
    indices = reference_indices(request)
    return tuple(
        WeightedConditioner(
            _guide(one, networks, model, fit, indices.get(place)),
            one.strength,
            one.start,
            one.end,
            None if one.mask is None else _tensor(fit(one.mask, resize)[..., None]),
        )
        for place, one in enumerate(request.conditions)
    )


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


def _guide(condition: Condition, networks: Networks, model: LatentModel, fit: Fit, index: int | None) -> Conditioner:
    kind = control_kind(condition.kind)
    if not kind.is_map:
        picture = read_guide(condition.picture, kind.reading, lambda array, _: array)
        if condition.guide is None:
            assert index is not None
            return cast(TakesReferences, model).reference(shown_reference(picture, model.checkpoint), index)
    else:
        picture = read_guide(condition.picture, kind.reading, fit)
    assert condition.guide is not None
    shown = GuideInput(_tensor(picture), condition.kind, role=str(condition.role))
    return guide_loader(condition.guide).prepare(networks[condition.guide], shown, model)


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).permute(2, 0, 1)[None]
