"""What is where in a picture: a label map in ADE20K's colours."""

from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from ..canvas.geometry import Size
from ..canvas.guides import resized_labels
from ..canvas.types import FloatArray
from .ade20k import ADE20K
from .networks import Prepared

__all__ = ["label_map"]

_MOST_PIXELS = 1 << 20
_MASK_SIZE = (384, 384)
_COLOURS = np.array([colour for _, colour in ADE20K], np.float32) / 255


def label_map(network: Prepared, rgb: torch.Tensor) -> FloatArray:
    """Each pixel in its thing's colour, (h, w, 3), 0..1, of a picture (3, h, w), 0..1."""
    output: Any = network.module(pixel_values=network.prepare(rgb))
    scores = _of_queries(output) if hasattr(output, "class_queries_logits") else output.logits
    size = Size(rgb.shape[2], rgb.shape[1])
    # Scores of 150 classes for each pixel of a large picture would not fit into memory.
    share = min(1.0, (_MOST_PIXELS / size.area) ** 0.5)
    within = tuple(max(1, round(side * share)) for side in size.shape)
    scores = interpolate(scores.float(), within, mode="bilinear", align_corners=False)[0]
    return resized_labels(np.asarray(_COLOURS[scores.argmax(dim=0).cpu().numpy()]), size)


def _of_queries(output: Any) -> torch.Tensor:
    """Scores of each class, (1, classes, h, w), of a network that answers by queries, each a class and a mask (Cheng et
    al. 2021, "Per-Pixel Classification is Not All You Need", 3.4). The last class is that of no thing.
    """
    classes = output.class_queries_logits.float().softmax(dim=-1)[..., :-1]
    # Enlarged before they are masks, so that edges stay sharp.
    masks = interpolate(output.masks_queries_logits.float(), _MASK_SIZE, mode="bilinear", align_corners=False)
    return torch.einsum("nqc,nqhw->nchw", classes, masks.sigmoid())
