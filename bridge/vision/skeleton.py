"""People as OpenPose draws them: 18 joints, 17 limbs, a colour each.

Cao et al. 2017, "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields"; ControlNet was trained on such
pictures of 512 x 512 pixels.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from ..canvas.geometry import Size
from ..canvas.types import FloatArray
from ..protocol.layer import OPENPOSE_JOINTS

__all__ = ["Skeleton", "draw_skeletons", "openpose_joints"]

Skeleton = dict[str, tuple[float, float]]
"""Joints that are seen, by name: x and y in pixels."""

_COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
_LIMBS = (
    ("neck", "right_shoulder"), ("neck", "left_shoulder"), ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("neck", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"), ("neck", "left_hip"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("neck", "nose"), ("nose", "right_eye"),
    ("right_eye", "right_ear"), ("nose", "left_eye"), ("left_eye", "left_ear"),
)  # fmt: skip
# Around the circle of colours, for limbs and joints alike.
_COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255),
    (255, 0, 170), (255, 0, 85),
)  # fmt: skip
_LIMB_SHARE = 0.6
_TRAINED_SIDE, _STICK, _DOT = 512, 4, 4
# Positions are given to OpenCV in 1/16 pixels.
_SHIFT = 4


def openpose_joints(coco: Sequence[tuple[float, float] | None]) -> Skeleton:
    """OpenPose's joints from COCO's 17 (None: not seen): the neck lies between the shoulders."""
    found = {name: place for name, place in zip(_COCO, coco, strict=True) if place is not None}
    if "left_shoulder" in found and "right_shoulder" in found:
        (ax, ay), (bx, by) = found["left_shoulder"], found["right_shoulder"]
        found["neck"] = ((ax + bx) / 2, (ay + by) / 2)
    return {name: found[name] for name in OPENPOSE_JOINTS if name in found}


def draw_skeletons(people: Sequence[Skeleton], size: Size) -> FloatArray:
    """The people, (h, w, 4), 0..1, on nothing. Strokes are as thick as in pictures of 512 pixels, in proportion."""
    scale = max(1.0, min(size.width, size.height) / _TRAINED_SIDE)
    drawn = np.zeros((*size.shape, 3), np.uint8)
    covered = np.zeros(size.shape, np.uint8)
    for joints in people:
        for (first, second), colour in zip(_LIMBS, _COLOURS, strict=False):
            if first in joints and second in joints:
                _limb(drawn, covered, joints[first], joints[second], colour, _STICK * scale)
        for name, colour in zip(OPENPOSE_JOINTS, _COLOURS, strict=True):
            if name in joints:
                for picture, value in ((drawn, colour), (covered, 255)):
                    cv2.circle(picture, _fixed(joints[name]), _radius(_DOT * scale), value, -1, cv2.LINE_8, _SHIFT)
    return np.asarray(np.dstack([drawn, covered]), np.float32) / np.float32(255)


def _limb(
    drawn: np.ndarray,
    covered: np.ndarray,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: tuple[int, int, int],
    half_width: float,
) -> None:
    length = math.hypot(end[0] - start[0], end[1] - start[1])
    axes = (_radius(length / 2), _radius(half_width))
    turned = math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))
    middle = _fixed(((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    darker = tuple(int(one * _LIMB_SHARE) for one in colour)
    for picture, value in ((drawn, darker), (covered, 255)):
        cv2.ellipse(picture, middle, axes, turned, 0, 360, value, -1, cv2.LINE_8, _SHIFT)


def _fixed(place: tuple[float, float]) -> tuple[int, int]:
    return round(place[0] * (1 << _SHIFT)), round(place[1] * (1 << _SHIFT))


def _radius(pixels: float) -> int:
    return max(1, round(pixels * (1 << _SHIFT)))
