"""Depth of a picture, and the normals that follow from it."""

from typing import Any

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate

from ..canvas.types import FloatArray
from .networks import Prepared

__all__ = ["estimate_depth", "normals_from_depth"]

# How deep a scene is for its normals, as a share of the picture's longer side: what is near is as far from what is far.
_RELIEF = 0.5
_EPSILON = 1e-6


def estimate_depth(network: Prepared, rgb: torch.Tensor) -> FloatArray:
    """How near things are, (h, w), 0..1: 1 is the nearest of the picture and 0 the farthest.

    Ranftl et al. 2021, "Vision Transformers for Dense Prediction"; Yang et al. 2024, "Depth Anything V2". What they
    give is an inverse depth up to scale and shift, but for those that were trained on metres.
    """
    output: Any = network.module(pixel_values=network.prepare(rgb))
    depth: torch.Tensor = output.predicted_depth[:, None].float()
    if getattr(network.module.config, "depth_estimation_type", "relative") == "metric":
        depth = 1 / depth.clamp(min=_EPSILON)
    depth = interpolate(depth, rgb.shape[1:], mode="bicubic", align_corners=False)[0, 0]
    low, high = depth.min(), depth.max()
    near = (depth - low) / (high - low).clamp(min=_EPSILON)
    return near.clamp(0, 1).cpu().numpy().astype(np.float32)


def normals_from_depth(near: FloatArray) -> FloatArray:
    """Where surfaces face, as colours (h, w, 3): red to the left, green up, blue towards us (ScanNet's, as ControlNet
    1.1 takes them).

    Args:
        near: (h, w), 0..1, 1 is nearest.
    """
    smooth = cv2.GaussianBlur(near, (0, 0), max(0.5, min(near.shape) / 512), borderType=cv2.BORDER_REFLECT)
    height = smooth * (_RELIEF * max(near.shape))
    down, right = np.gradient(height) if min(near.shape) > 1 else (np.zeros_like(height),) * 2
    # What comes nearer to the right faces left; what comes nearer downwards faces up.
    vectors = np.dstack([right, down, np.ones_like(height)])
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    return np.asarray(vectors / 2 + 0.5, np.float32)
