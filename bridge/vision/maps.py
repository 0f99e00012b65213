"""One function a kind of map: from a picture and the estimators' networks to what lies in the layer."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..canvas.geometry import Size
from ..canvas.types import FloatArray
from ..models import CheckpointUnreadable, EstimatorTask
from .depth import estimate_depth, normals_from_depth
from .edges import blurred, canny_edges, drawn_lines_of, usual_detail
from .hed import soft_edges
from .pose import find_people, find_poses
from .segmentation import label_map
from .skeleton import Skeleton, draw_skeletons

__all__ = ["MAKERS", "EstimatedMap", "MapOptions", "Scene", "make_map"]


@dataclass(frozen=True)
class MapOptions:
    """`weak_edge` and `strong_edge` as `canny_edges` takes them, `detail_size` in pixels (None: what suits), and the
    seed of what is drawn by chance.
    """

    weak_edge: float = 100.0
    strong_edge: float = 200.0
    detail_size: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class EstimatedMap:
    """A map: ink (h, w), colours (h, w, 3), or colours and alpha (h, w, 4); all 0..1. `people` with poses alone."""

    pixels: FloatArray
    people: tuple[Skeleton, ...] = ()


@dataclass(frozen=True)
class Scene:
    """What a map is made of: the picture (h, w, 3), 0..1, and `networks` by what they tell, on their device.

    `check` may raise to end the work.
    """

    kind: str
    rgb: FloatArray
    networks: Mapping[EstimatorTask, Any]
    options: MapOptions
    check: Callable[[], None]

    @property
    def tensor(self) -> torch.Tensor:
        """The picture as (3, h, w), where the networks are."""
        device = next(next(iter(self.networks.values())).parameters()).device
        return torch.from_numpy(np.ascontiguousarray(self.rgb.transpose(2, 0, 1))).to(device)

    @property
    def detail(self) -> float:
        """The option, or what suits the picture."""
        said = self.options.detail_size
        return usual_detail(self.kind, self.rgb) if said is None else said


def make_map(scene: Scene) -> EstimatedMap:
    """The map.

    Raises what `check` raises, before each layer of a network; CheckpointUnreadable where a network gives what is no
    number; ValueOutOfRange for options that contradict each other.
    """
    scene.check()
    with torch.inference_mode(), _stoppable(scene.networks.values(), scene.check):
        made = MAKERS[scene.kind](scene)
    if not np.isfinite(made.pixels).all():
        raise CheckpointUnreadable(
            "The network for maps of the kind {kind} gave what is no number.",
            hint="Its weights are damaged: download it again.",
            kind=scene.kind.replace("_", " "),
        )
    return made


def _canny(scene: Scene) -> EstimatedMap:
    return EstimatedMap(canny_edges(scene.rgb, scene.options.weak_edge, scene.options.strong_edge))


def _lines(scene: Scene) -> EstimatedMap:
    return EstimatedMap(drawn_lines_of(scene.rgb, scene.detail))


def _soft_edges(scene: Scene) -> EstimatedMap:
    return EstimatedMap(soft_edges(scene.networks[EstimatorTask.EDGES], scene.tensor))


def _depth(scene: Scene) -> EstimatedMap:
    near = estimate_depth(scene.networks[EstimatorTask.DEPTH], scene.tensor)
    return EstimatedMap(np.repeat(near[..., None], 3, axis=2))


def _normals(scene: Scene) -> EstimatedMap:
    if EstimatorTask.NORMALS in scene.networks:
        marigold = scene.networks[EstimatorTask.NORMALS]
        return EstimatedMap(marigold.estimate(scene.tensor, scene.options.seed, scene.check))
    return EstimatedMap(normals_from_depth(estimate_depth(scene.networks[EstimatorTask.DEPTH], scene.tensor)))


def _poses(scene: Scene) -> EstimatedMap:
    rgb = scene.tensor
    boxes = find_people(scene.networks[EstimatorTask.DETECTION], rgb)
    people = find_poses(scene.networks[EstimatorTask.POSE], rgb, boxes, scene.check)
    return EstimatedMap(draw_skeletons(people, Size(rgb.shape[2], rgb.shape[1])), tuple(people))


def _labels(scene: Scene) -> EstimatedMap:
    return EstimatedMap(label_map(scene.networks[EstimatorTask.SEGMENTATION], scene.tensor))


def _blurred(scene: Scene) -> EstimatedMap:
    return EstimatedMap(blurred(scene.rgb, scene.detail))


MAKERS: Mapping[str, Callable[[Scene], EstimatedMap]] = {
    "scribble": _lines,
    "line_art": _lines,
    "soft_edge": _soft_edges,
    "canny": _canny,
    "depth": _depth,
    "normal": _normals,
    "pose": _poses,
    "label_map": _labels,
    "blur": _blurred,
}
"""The kinds of maps; `bridge.models.estimators` says what networks each takes."""


@contextmanager
def _stoppable(networks: Any, check: Callable[[], None]) -> Iterator[None]:
    """Has `check` called before each of the networks' repeated layers."""
    lists = (part for network in networks for part in network.modules() if isinstance(part, nn.ModuleList))
    hooks = [layer.register_forward_pre_hook(lambda *_: check()) for layers in lists for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
