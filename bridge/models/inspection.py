"""Tells a checkpoint by content: a diffusers folder, or a file with a denoiser. Nothing of it is loaded here."""

from pathlib import Path
from typing import cast

from ..home import find_home
from . import flow_matching, stable_diffusion
from .checkpoint import Checkpoint
from .components import components_in
from .diffusers_folder import inspect_folder
from .errors import CheckpointUnreadable, CheckpointUnsupported, ComponentNoCheckpoint
from .families import family_of_tensors, own_inspection
from .schedule import ScheduleKind
from .tensor_file import read_header

__all__ = ["inspect"]

# By how a family's denoisers were trained: the files differ in what stands beside the weights, and what it means.
_OF_FILES = {
    ScheduleKind.VARIANCE_PRESERVING: stable_diffusion.inspect_file,
    ScheduleKind.FLOW_MATCHING: flow_matching.inspect_file,
}


def inspect(path: Path) -> Checkpoint:
    """What stands at `path`, told by content and never by name.

    Raises CheckpointUnreadable for what is broken, incomplete or pickled, and CheckpointUnsupported for what is sound
    but cannot be painted with. A file that lacks parts says so in `Checkpoint.wants`.
    """
    if path.is_dir():
        return inspect_folder(path)
    if path.is_file():
        return _inspect_file(path)
    raise CheckpointUnreadable(
        "There is nothing at {name}.", hint="Was the checkpoint moved or deleted?", name=path.name
    )


def _inspect_file(path: Path) -> Checkpoint:
    header = read_header(path)
    try:
        family = family_of_tensors(header.shapes)
    except CheckpointUnsupported:
        texts = [one for one in components_in(path, header) if one.kind.is_text]
        if not texts:
            raise
        raise ComponentNoCheckpoint(
            "This file is a text encoder ({words}), not a whole checkpoint.",
            hint="Text encoders belong into {folder}.",
            words=texts[0].words,
            folder=find_home().text_encoders,
        ) from None
    if (inspect_own := own_inspection(family)) is not None:
        return cast(Checkpoint, inspect_own(path))
    return _OF_FILES[family.schedule](path, header, family)
