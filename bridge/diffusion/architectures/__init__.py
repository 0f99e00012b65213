"""The denoisers that there are, by the name that their families give (`Family.architecture`)."""

from collections.abc import Callable
from typing import Any

from ...models import Checkpoint
from ..loading import ModuleLoader
from ..model import LatentModel
from .flux1 import load as load_flux1
from .flux2 import load as load_flux2
from .unet import load as load_unet
from .z_image import load as load_z_image

__all__ = ["Architecture", "load_architecture", "register_architecture"]

Architecture = Callable[[Checkpoint, ModuleLoader], LatentModel]
"""Loads a checkpoint, each module by the loader."""

_ARCHITECTURES: dict[str, Any] = {"flux1": load_flux1, "flux2": load_flux2, "unet": load_unet, "z_image": load_z_image}


def register_architecture(name: str, load: Architecture) -> None:
    """Checkpoints of the families that name this architecture are loaded by `load` from now on."""
    _ARCHITECTURES[name] = load


def load_architecture(checkpoint: Checkpoint, loader: ModuleLoader) -> LatentModel:
    """The checkpoint in memory. Raises KeyError for an architecture that nobody registered."""
    model: LatentModel = _ARCHITECTURES[checkpoint.family.architecture](checkpoint, loader)
    return model
