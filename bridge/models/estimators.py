"""Estimators of maps on disk, told by content: networks of transformers' classes, Marigold's normals, HED. Loads none.

A folder tells by its config.json or model_index.json which class it is of; a single file by its tensors' names.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..errors import Sentence
from .errors import CheckpointUnreadable, EstimatorMissing, EstimatorUnsupported, NotAnEstimator
from .hashing import content_hash
from .names import find_name
from .tensor_file import read_header
from .weight_files import weight_files

__all__ = [
    "ESTIMATED_BY",
    "MARIGOLD",
    "MARIGOLD_PARTS",
    "RECOMMENDED_ESTIMATORS",
    "Estimator",
    "EstimatorFacts",
    "EstimatorTask",
    "check_network",
    "choose_estimators",
    "estimated_kinds",
    "inspect_estimator",
    "maps_of",
]


class EstimatorTask(Enum):
    """What an estimator tells of a picture."""

    DEPTH = "depth"
    NORMALS = "normals"
    SEGMENTATION = "segmentation"
    DETECTION = "detection"
    POSE = "pose"
    EDGES = "edges"


ESTIMATED_BY: Mapping[str, tuple[tuple[EstimatorTask, ...], ...]] = {
    "scribble": ((),),
    "line_art": ((),),
    "soft_edge": ((EstimatorTask.EDGES,),),
    "canny": ((),),
    "depth": ((EstimatorTask.DEPTH,),),
    "normal": ((EstimatorTask.NORMALS,), (EstimatorTask.DEPTH,)),
    "pose": ((EstimatorTask.DETECTION, EstimatorTask.POSE),),
    "label_map": ((EstimatorTask.SEGMENTATION,),),
    "blur": ((),),
}
"""The kinds of maps that can be made, each with what it takes: one of several sets of estimators, the best first."""

# transformers' classes that are understood (`bridge.vision`).
_ARCHITECTURES = {
    "DepthAnythingForDepthEstimation": EstimatorTask.DEPTH,
    "DPTForDepthEstimation": EstimatorTask.DEPTH,
    "SegformerForSemanticSegmentation": EstimatorTask.SEGMENTATION,
    "UperNetForSemanticSegmentation": EstimatorTask.SEGMENTATION,
    "BeitForSemanticSegmentation": EstimatorTask.SEGMENTATION,
    "MaskFormerForInstanceSegmentation": EstimatorTask.SEGMENTATION,
    "Mask2FormerForUniversalSegmentation": EstimatorTask.SEGMENTATION,
    "RTDetrForObjectDetection": EstimatorTask.DETECTION,
    "RTDetrV2ForObjectDetection": EstimatorTask.DETECTION,
    "DFineForObjectDetection": EstimatorTask.DETECTION,
    "VitPoseForPoseEstimation": EstimatorTask.POSE,
}
MARIGOLD = "MarigoldNormalsPipeline"
MARIGOLD_PARTS = ("unet", "vae", "text_encoder")
"""diffusers' pipeline for normals, and its parts that have weights."""
# Of ControlNet's own HED.
_HED = frozenset(("norm", "block1.convs.0.weight", "block5.convs.2.weight", "block5.projection.weight"))

RECOMMENDED_ESTIMATORS: Mapping[EstimatorTask, str] = {
    EstimatorTask.DEPTH: "depth-anything/Depth-Anything-V2-Small-hf",
    EstimatorTask.NORMALS: "prs-eth/marigold-normals-lcm-v0-1",
    EstimatorTask.SEGMENTATION: "nvidia/segformer-b5-finetuned-ade-640-640",
    EstimatorTask.DETECTION: "PekingU/rtdetr_v2_r18vd",
    EstimatorTask.POSE: "usyd-community/vitpose-base-simple",
}
"""Where to get one: repositories of the Hugging Face hub."""
_WORDS = {
    EstimatorTask.DEPTH: Sentence("an estimator of depth"),
    EstimatorTask.NORMALS: Sentence("an estimator of normals"),
    EstimatorTask.SEGMENTATION: Sentence("a segmenter that knows ADE20K's things"),
    EstimatorTask.DETECTION: Sentence("a detector of people"),
    EstimatorTask.POSE: Sentence("an estimator of poses"),
    EstimatorTask.EDGES: Sentence("HED, a network for soft edges,"),
}


@dataclass(frozen=True)
class Estimator:
    """An estimator on disk.

    `architecture` is its class by transformers' or diffusers' name, or "HED". `files` are those that loading reads,
    its configs among them.
    """

    id: str
    path: Path
    task: EstimatorTask
    architecture: str
    files: tuple[Path, ...]

    def content(self, check: Callable[[], None] | None = None) -> str:
        """SHA-256 over `files`; `check` is called every few megabytes and may raise to end the reading."""
        return content_hash(self.path, self.files, check=check)


class EstimatorFacts(Protocol):
    """An estimator's unique name, and its task."""

    @property
    def id(self) -> str: ...

    @property
    def task(self) -> EstimatorTask: ...


T = TypeVar("T", bound=EstimatorFacts)


def inspect_estimator(path: Path) -> Estimator:
    """What stands at `path`.

    Raises CheckpointUnreadable for what is broken or pickled, EstimatorUnsupported for networks that are not
    understood, and NotAnEstimator for what is something else.
    """
    if not path.is_dir():
        return _inspect_file(path)
    if (path / "model_index.json").is_file():
        return _inspect_pipeline(path)
    task, architecture = check_network(path.name, _read_json(path / "config.json"))
    preprocessor = path / "preprocessor_config.json"
    if not preprocessor.is_file():
        raise CheckpointUnreadable(
            "{name} has no preprocessor_config.json, which tells what pictures it was trained on.",
            hint="Download or copy the folder again.",
            name=path.name,
        )
    return Estimator(path.name, path, task, architecture, (path / "config.json", preprocessor, *weight_files(path)))


def check_network(name: str, config: Mapping[str, Any]) -> tuple[EstimatorTask, str]:
    """What a network of that config.json tells of pictures, and its class.

    Raises EstimatorUnsupported for networks that are not understood, NotAnEstimator for what is something else.
    """
    named = config.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else ""
    if not architecture:
        raise NotAnEstimator("{name} is no estimator.", name=name)
    task = _ARCHITECTURES.get(architecture)
    if task is None:
        raise EstimatorUnsupported(
            "{name} is a {architecture}, which Paintbridge makes no maps with.",
            hint="Understood are: {known}.",
            name=name,
            architecture=architecture,
            known=", ".join(_ARCHITECTURES),
        )
    if config.get("use_timm_backbone"):
        raise EstimatorUnsupported(
            "{name} is built upon a network of another library, timm.",
            hint="Choose one without, such as {repository}.",
            name=name,
            repository=RECOMMENDED_ESTIMATORS[task],
        )
    _check_labels(name, task, config.get("id2label"))
    return task, architecture


def choose_estimators(found: Mapping[str, T | Exception], kind: str, name: str | None, *, folder: str) -> tuple[T, ...]:
    """The estimators that make maps of a kind, in the order of their tasks, among estimators and what is wrong with the
    others, by name. `name` asks for one of them; of each other task the first is taken. `folder` is where they are put.

    Raises EstimatorMissing, which says what to get; or what is wrong with the one of that name.
    """
    usable = [one for one in found.values() if not isinstance(one, Exception)]
    ways = ESTIMATED_BY.get(kind)
    if ways is None:
        raise EstimatorMissing(
            "No maps of the kind {kind} are made.",
            hint="There are: {kinds}.",
            kind=repr(kind),
            kinds=", ".join(ESTIMATED_BY),
        )
    if name is not None:
        known = find_name(name, found)
        named = None if known is None else found[known]
        if isinstance(named, Exception):
            raise named
        tasks = {task for way in ways for task in way}
        if named is None or named.task not in tasks:
            raise EstimatorMissing(
                "There is no estimator named {name} for maps of the kind {kind}.",
                hint="There are: {names}.",
                name=repr(name),
                kind=kind,
                names=", ".join(one.id for one in usable if one.task in tasks) or "none",
            )
        usable = [named, *usable]
        ways = tuple(way for way in ways if named.task in way)
    for way in ways:
        chosen = [next((one for one in usable if one.task is task), None) for task in way]
        complete = tuple(one for one in chosen if one is not None)
        if len(complete) == len(way):
            return complete
    have = {one.task for one in usable}
    raise _missing(kind, next(task for task in ways[-1] if task not in have), folder)


def estimated_kinds(estimators: Mapping[str, EstimatorFacts | Exception]) -> tuple[str, ...]:
    """The kinds of maps that can be made with these."""
    have = {one.task for one in estimators.values() if not isinstance(one, Exception)}
    return tuple(kind for kind, ways in ESTIMATED_BY.items() if any(have.issuperset(way) for way in ways))


def maps_of(task: EstimatorTask) -> tuple[str, ...]:
    """The kinds of maps that an estimator has a part in."""
    return tuple(kind for kind, ways in ESTIMATED_BY.items() if any(task in way for way in ways))


def _missing(kind: str, task: EstimatorTask, folder: str) -> EstimatorMissing:
    if task not in RECOMMENDED_ESTIMATORS:
        return EstimatorMissing(
            "There is no network here that makes maps of the kind {kind}: {needed} is needed.",
            hint="Convert ControlNetHED.pth of ControlNet's annotators to safetensors, and put that into {folder}.",
            kind=kind.replace("_", " "),
            needed=_WORDS[task],
            folder=folder,
        )
    return EstimatorMissing(
        "There is no network here that makes maps of the kind {kind}: {needed} is needed.",
        hint="Fetch one: paintbridge models pull {repository}",
        kind=kind.replace("_", " "),
        needed=_WORDS[task],
        repository=RECOMMENDED_ESTIMATORS[task],
    )


def _inspect_pipeline(path: Path) -> Estimator:
    if _read_json(path / "model_index.json").get("_class_name") != MARIGOLD:
        raise NotAnEstimator("{name} is no estimator.", name=path.name)
    configs = sorted(file for file in path.rglob("*") if file.suffix in (".json", ".txt") and file.is_file())
    weights = (file for part in MARIGOLD_PARTS for file in weight_files(path / part))
    files = tuple(dict.fromkeys((*configs, *weights)))
    return Estimator(path.name, path, EstimatorTask.NORMALS, MARIGOLD, files)


def _inspect_file(path: Path) -> Estimator:
    if not read_header(path).shapes.keys() >= _HED:
        raise NotAnEstimator("{name} is no estimator.", name=path.name)
    return Estimator(path.stem, path, EstimatorTask.EDGES, "HED", (path,))


def _check_labels(name: str, task: EstimatorTask, labels: Any) -> None:
    """Raises EstimatorUnsupported for networks that tell of other things than the maps are of."""
    known = [str(label) for label in labels.values()] if isinstance(labels, dict) else []
    if task is EstimatorTask.SEGMENTATION and (len(known) != 150 or known[:3] != ["wall", "building", "sky"]):
        raise EstimatorUnsupported(
            "{name} knows other things than ADE20K's, whose colours label maps have.",
            hint="Choose one that was trained on ADE20K, such as {repository}.",
            name=name,
            repository=RECOMMENDED_ESTIMATORS[task],
        )
    if task is EstimatorTask.DETECTION and "person" not in known:
        raise EstimatorUnsupported(
            "{name} finds no people.", hint="Choose another, such as {repository}.", name=name,
            repository=RECOMMENDED_ESTIMATORS[task],
        )  # fmt: skip
    if task is EstimatorTask.POSE and len(known) != 17:
        raise EstimatorUnsupported(
            "{name} does not find COCO's 17 joints.", hint="Choose another, such as {repository}.", name=name,
            repository=RECOMMENDED_ESTIMATORS[task],
        )  # fmt: skip


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointUnreadable("{name}/{file} cannot be read.", name=path.parent.name, file=path.name) from error
    if not isinstance(found, dict):
        raise CheckpointUnreadable("{name}/{file} cannot be read.", name=path.parent.name, file=path.name)
    return found
