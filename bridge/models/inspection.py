"""Tells a checkpoint by content: a diffusers folder, or a file with a denoiser. Nothing of it is loaded here."""

from pathlib import Path
from typing import cast

from . import flow_matching, stable_diffusion
from .checkpoint import Checkpoint
from .checkpoint_files import read_json
from .errors import CheckpointUnreadable, CheckpointUnsupported
from .families import check_at_home, family_of_folder, family_of_tensors, own_inspection
from .schedule import ScheduleKind
from .tensor_file import read_header

__all__ = ["inspect"]

# By how a family's denoisers were trained; these differ in what stands beside the weights, and what it means.
_INSPECTIONS = {
    ScheduleKind.VARIANCE_PRESERVING: stable_diffusion,
    ScheduleKind.FLOW_MATCHING: flow_matching,
}
_DENOISERS = ("unet", "transformer")


def inspect(path: Path) -> Checkpoint:
    """What stands at `path`, told by content and never by name.

    Raises CheckpointUnreadable for what is broken, incomplete or pickled, and CheckpointUnsupported for what is sound
    but cannot be painted with. A file that lacks parts says so in `Checkpoint.wants`.
    """
    if path.is_dir():
        return _inspect_folder(path)
    if path.is_file():
        return _inspect_file(path)
    raise CheckpointUnreadable(
        "There is nothing at {name}.", hint="Was the checkpoint moved or deleted?", name=path.name
    )


def _inspect_folder(path: Path) -> Checkpoint:
    if not (path / "model_index.json").is_file():
        raise CheckpointUnsupported("This folder is not a diffusers checkpoint: it has no model_index.json.")
    index = read_json(path / "model_index.json")
    check_at_home(index)
    name = next((one for one in _DENOISERS if one in index), None)
    denoiser = read_json(path / name / "config.json") if name is not None else {}
    text_encoder = read_json(path / "text_encoder" / "config.json") if "text_encoder" in index else {}
    family = family_of_folder(index, denoiser, text_encoder)
    if (inspect_own := own_inspection(family)) is not None:
        return cast(Checkpoint, inspect_own(path))
    return _INSPECTIONS[family.schedule].inspect_folder(path, index, denoiser, family)


def _inspect_file(path: Path) -> Checkpoint:
    header = read_header(path)
    family = family_of_tensors(header.shapes)
    if (inspect_own := own_inspection(family)) is not None:
        return cast(Checkpoint, inspect_own(path))
    return _INSPECTIONS[family.schedule].inspect_file(path, header, family)
