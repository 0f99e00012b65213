"""How people stand in a picture: a detector finds them, ViTPose their joints.

Xu et al. 2022, "ViTPose: Simple Vision Transformer Baselines for Human Pose Estimation". Positions are refined and
scaled without bias as there: Zhang et al. 2020, "Distribution-Aware Coordinate Representation", and Huang et al. 2020,
"The Devil is in the Details: Delving into Unbiased Data Processing".
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn.functional import grid_sample

from ..canvas.types import FloatArray
from .networks import Prepared
from .skeleton import Skeleton, openpose_joints

__all__ = ["find_people", "find_poses"]

_LEAST_PERSON, _LEAST_JOINT = 0.4, 0.3
_MOST_PEOPLE = 32
# Room around a person, as ViTPose was trained with.
_ROOM = 1.25

Box = tuple[float, float, float, float]


def find_people(network: Prepared, rgb: torch.Tensor) -> list[Box]:
    """The people in a picture (3, h, w), 0..1, the surest first: each as (left, top, width, height) in its pixels.

    Zhao et al. 2023, "DETRs Beat YOLOs on Real-time Object Detection", and its successors.
    """
    output: Any = network.module(pixel_values=network.prepare(rgb))
    labels: dict[int, str] = network.module.config.id2label
    person = next(number for number, label in labels.items() if label == "person")
    scores = output.logits[0, :, int(person)].float().sigmoid()
    height, width = rgb.shape[1:]
    found = []
    for query in scores.argsort(descending=True, stable=True)[:_MOST_PEOPLE].tolist():
        if float(scores[query]) < _LEAST_PERSON:
            break
        x, y, w, h = output.pred_boxes[0, query].float().tolist()
        found.append(((x - w / 2) * width, (y - h / 2) * height, w * width, h * height))
    return found


def find_poses(network: Prepared, rgb: torch.Tensor, boxes: list[Box], check: Callable[[], None]) -> list[Skeleton]:
    """The skeletons of the people in these boxes, in the picture's pixels; those of whom no joint is seen are left out.

    `check` is called before each, and may raise.
    """
    found = []
    for box in boxes:
        check()
        skeleton = openpose_joints(_joints(network, rgb, box))
        if skeleton:
            found.append(skeleton)
    return found


def _joints(network: Prepared, rgb: torch.Tensor, box: Box) -> list[tuple[float, float] | None]:
    """COCO's 17 joints of somebody; None: not seen."""
    assert network.prepare.size is not None
    height, width = network.prepare.size
    region = _region(box, width / height)
    pixels = network.prepare.scaled(_cut(rgb, region, height, width))
    backbone = network.module.config.backbone_config
    # Of those with a set of weights for each data set the first is COCO's.
    of_coco = {"dataset_index": torch.zeros(1, dtype=torch.long, device=rgb.device)}
    output: Any = network.module(pixel_values=pixels, **(of_coco if getattr(backbone, "num_experts", 1) > 1 else {}))
    left, top, wide, tall = region
    joints: list[tuple[float, float] | None] = []
    for heat in output.heatmaps[0].float().cpu().numpy():
        x, y, score = _peak(heat)
        rows, columns = heat.shape
        place = (left + x * wide / max(1, columns - 1), top + y * tall / max(1, rows - 1))
        joints.append(place if score >= _LEAST_JOINT else None)
    return joints


def _region(box: Box, aspect: float) -> Box:
    """A box with room, of that width for each height."""
    left, top, wide, tall = box
    x, y = left + wide / 2, top + tall / 2
    wide, tall = max(wide, tall * aspect), max(tall, wide / aspect)
    wide, tall = max(1.0, wide * _ROOM), max(1.0, tall * _ROOM)
    return x - wide / 2, y - tall / 2, wide, tall


def _cut(rgb: torch.Tensor, region: Box, height: int, width: int) -> torch.Tensor:
    """(1, 3, height, width) of a region, whose first and last pixels' middles are its edges; black off the picture."""
    left, top, wide, tall = region
    across = torch.linspace(left, left + wide, width, device=rgb.device) / max(1, rgb.shape[2] - 1) * 2 - 1
    down = torch.linspace(top, top + tall, height, device=rgb.device) / max(1, rgb.shape[1] - 1) * 2 - 1
    grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1)[None]
    return grid_sample(rgb[None], grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def _peak(heat: FloatArray) -> tuple[float, float, float]:
    """Where a heat map (h, w) is highest, between its pixels, and how high: the top of the parabola that its logarithm
    is there.
    """
    rows, columns = heat.shape
    y, x = divmod(int(heat.argmax()), columns)
    score = float(heat[y, x])
    if not (0 < x < columns - 1 and 0 < y < rows - 1):
        return float(x), float(y), score
    smooth = np.log(np.clip(cv2.GaussianBlur(heat, (3, 3), 0.8), 1e-3, 50))
    patch = smooth[y - 1 : y + 2, x - 1 : x + 2]
    slope = np.array([patch[1, 2] - patch[1, 0], patch[2, 1] - patch[0, 1]]) / 2
    mixed = (patch[2, 2] + patch[0, 0] - patch[0, 2] - patch[2, 0]) / 4
    curvature = np.array(
        [
            [patch[1, 2] - 2 * patch[1, 1] + patch[1, 0], mixed],
            [mixed, patch[2, 1] - 2 * patch[1, 1] + patch[0, 1]],
        ]
    )
    if abs(np.linalg.det(curvature)) < 1e-9:
        return float(x), float(y), score
    off_x, off_y = np.clip(-np.linalg.solve(curvature, slope), -1, 1)
    return float(x + off_x), float(y + off_y), score
