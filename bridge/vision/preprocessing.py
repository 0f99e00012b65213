"""What a network's preprocessor_config.json says of pictures: to what size they are brought, and how they are scaled.

The names of its keys are transformers'. What has a meaning that is not heeded here is refused.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import interpolate

from ..models import CheckpointUnreadable
from ..models.errors import EstimatorUnsupported
from ..models.json_files import load_object

__all__ = ["Preprocessor", "read_preprocessor"]

# Steps that are heeded, or that are about labels and batches, which there are none of here.
_STEPS = frozenset(
    (
        "do_resize", "do_rescale", "do_normalize", "do_pad", "do_reduce_labels", "do_convert_annotations",
        "do_affine_transform",
    )
)  # fmt: skip
# PIL's numbers for filters.
_FILTERS = {0: "nearest-exact", 2: "bilinear", 3: "bicubic"}
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Preprocessor:
    """How a picture (3, h, w), 0..1, becomes a network's input.

    `size` is (height, width), or None with `shortest_edge`; `longest_edge` bounds that. With `keeps_aspect` the picture
    keeps its own as far as `multiple` allows, to which sides are rounded, or rounded up. `factor` scales 0..255.
    """

    size: tuple[int, int] | None
    shortest_edge: int | None
    longest_edge: int | None
    keeps_aspect: bool
    multiple: int
    rounds_up: bool
    mode: str
    factor: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the input for a picture of that size."""
        if self.size is not None and not self.keeps_aspect:
            return self.size
        if self.size is not None:
            # The side that changes less decides, as DPT's processor has it.
            scales = (self.size[0] / height, self.size[1] / width)
            scale = min(scales, key=lambda one: abs(1 - one))
        elif self.shortest_edge is not None:
            scale = self.shortest_edge / min(height, width)
            if self.longest_edge is not None:
                scale = min(scale, self.longest_edge / max(height, width))
        else:
            scale = 1.0
        units = (max(1, self._count(side * scale / self.multiple)) for side in (height, width))
        tall, wide = (count * self.multiple for count in units)
        return tall, wide

    def _count(self, units: float) -> int:
        # What ends in pixels ends there before it is rounded up.
        return math.ceil(round(units * self.multiple) / self.multiple) if self.rounds_up else round(units)

    def __call__(self, rgb: torch.Tensor) -> torch.Tensor:
        """(1, 3, h, w) of a picture (3, h, w), 0..1."""
        target = self.target(rgb.shape[1], rgb.shape[2])
        pixels = rgb[None]
        if target != tuple(rgb.shape[1:]):
            smooth = self.mode in ("bilinear", "bicubic")
            pixels = interpolate(
                pixels, target, mode=self.mode, antialias=smooth, align_corners=False if smooth else None
            ).clamp(0, 1)
        return self.scaled(pixels)

    def scaled(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w), 0..1, as the network takes numbers."""
        mean, deviation = (
            torch.tensor(values, dtype=pixels.dtype, device=pixels.device)[:, None, None]
            for values in (self.mean, self.deviation)
        )
        return (pixels * 255 * self.factor - mean) / deviation


def read_preprocessor(folder: Path) -> Preprocessor:
    """What the folder's preprocessor_config.json says.

    Raises CheckpointUnreadable where it says nothing sensible, EstimatorUnsupported where it asks for what is not done.
    """
    path = folder / "preprocessor_config.json"
    try:
        said = load_object(path)
        steps = {name for name, value in said.items() if name.startswith("do_") and value}
        if steps - _STEPS:
            raise EstimatorUnsupported(
                "{name} wants its pictures prepared by a step that is not known here: {step}.",
                hint="Choose another network for these maps.",
                name=folder.name,
                step=min(steps - _STEPS),
            )
        return _read(said)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointUnreadable("{name}/{file} cannot be read.", name=folder.name, file=path.name) from error


def _read(said: Mapping[str, Any]) -> Preprocessor:
    size = said.get("size") or {}
    if isinstance(size, int):
        size = {"height": size, "width": size}
    if not said.get("do_resize", True):
        size = {}
    fixed = (int(size["height"]), int(size["width"])) if "height" in size else None
    normalised = said.get("do_normalize", True)
    mean, deviation = said.get("image_mean") or _IMAGENET[0], said.get("image_std") or _IMAGENET[1]
    return Preprocessor(
        size=fixed,
        shortest_edge=size.get("shortest_edge"),
        longest_edge=size.get("longest_edge") or said.get("max_size"),
        keeps_aspect=bool(said.get("keep_aspect_ratio")),
        multiple=int(said.get("ensure_multiple_of") or said.get("size_divisor") or 1),
        rounds_up=not said.get("ensure_multiple_of"),
        mode=_FILTERS.get(said.get("resample", 2), "bilinear"),
        factor=float(said.get("rescale_factor", 1 / 255)) if said.get("do_rescale", True) else 1.0,
        mean=tuple(map(float, mean)) if normalised else (0.0, 0.0, 0.0),
        deviation=tuple(map(float, deviation)) if normalised else (1.0, 1.0, 1.0),
    )
