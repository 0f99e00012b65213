"""A part that the artist chose for a checkpoint in place of its own, or of the one that would be found for it."""

from pathlib import Path
from typing import Any

from ..home import find_home
from .checkpoint import Checkpoint
from .components import Want, component_of_config, inspect_components
from .errors import CheckpointUnreadable, CheckpointUnsupported, ModelsError
from .names import ENDINGS
from .parts import Part
from .schedule import ScheduleKind
from .vae import inspect_vae

__all__ = ["chosen_part"]

_WORDS = {"vae": "VAE"}


def chosen_part(name: str, said: Any, checkpoint: Checkpoint, where: str) -> Part:
    """The part `name` of the checkpoint that was `said`: by its name in the bridge's home, or by its path.

    Raises CheckpointUnreadable and CheckpointUnsupported, which begin with `where` it was said.
    """
    words = _WORDS.get(name, name.replace("_", " "))
    if not isinstance(said, str) or not said:
        raise CheckpointUnreadable(
            "{where}: {name} must be a name or a path, not {said}.",
            hint="Correct it there; docs/checkpoints.md has all its keys.",
            where=where,
            name=name,
            said=repr(said),
        )
    own = find_home().vaes if name == "vae" else find_home().text_encoders
    try:
        named = own / Path(said).expanduser()
    except RuntimeError:
        # There is no such user; so it is a name as others.
        named = own / said
    path = next((one for one in (named, *(_ending(named, end) for end in ENDINGS)) if one.exists()), None)
    if path is None:
        raise CheckpointUnreadable(
            "{where}: there is no {words} {said}.",
            hint="Name a file or folder in {own}, or say a whole path.",
            where=where,
            words=words,
            said=said,
            own=own,
        )
    try:
        if checkpoint.family.schedule is ScheduleKind.VARIANCE_PRESERVING:
            return inspect_vae(path, checkpoint.part(name), checkpoint.family)
        return _fitting(path, name, checkpoint)
    except ModelsError as error:
        raise type(error)("{where}: {problem}", hint=error.hint, where=where, problem=error.message) from error


def _ending(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}{ending}")


def _fitting(path: Path, name: str, checkpoint: Checkpoint) -> Part:
    want = next((one for one in checkpoint.wants if one.part == name), None) or _as_its_own(checkpoint.part(name))
    found = inspect_components(path).found
    component = next((one for one in found if want.fits(one)), None)
    if component is None:
        raise CheckpointUnsupported(
            "{name} is {words}, where {id} wants {wanted}.",
            hint="Choose one that fits, or leave it out.",
            name=path.name,
            words=found[0].words,
            id=checkpoint.id,
            wanted=want.words,
        )
    return want.part_of(component)


def _as_its_own(part: Part) -> Want:
    described = component_of_config(part.config_file)
    assert described is not None
    return Want(part.name, *described, part.config_file.parent)
