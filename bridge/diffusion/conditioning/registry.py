"""Which guides there are: how each is loaded and prepared, by the name that it gives on disk (`GuideFiles.loader`)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from ...models import Checkpoint, ConditionUnsupported
from ..model import Conditioner, Effect, LatentModel
from .controlnet import ControlNetLoader
from .controlnet_union import ControlNetUnionLoader
from .guide_input import GuideInput
from .ip_adapter import IPAdapterLoader
from .z_image_controlnet import ZImageControlNetLoader

__all__ = ["GuideFiles", "GuideLoader", "check_takes", "guide_loader", "register_guide"]


class GuideFiles(Protocol):
    """A guide on disk, hashable: two are the same if they are equal."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def loader(self) -> str:
        """What loads it: a name that `register_guide` was given."""

    @property
    def files(self) -> Sequence[Path]:
        """What loading reads."""

    def content(self, check: Callable[[], None]) -> str:
        """A hash over its files; `check` may raise to end the reading."""

    def check_fits(self, checkpoint: Checkpoint) -> None:
        """Raises ConditionUnsupported where the checkpoint cannot be guided by it."""


class GuideLoader(Protocol):
    """What is done with guides of one architecture. `effect` is the form of what they add."""

    effect: type[Effect]

    def load(self, files: Any, dtype: torch.dtype) -> nn.Module:
        """Its network, on the CPU."""

    def prepare(self, network: Any, shown: GuideInput, model: LatentModel) -> Conditioner:
        """The guide for a plane of the model's. Inputs of no kind are for those that `bridge.models` says inpaint."""


_LOADERS: dict[str, GuideLoader] = {
    "controlnet": ControlNetLoader(),
    "controlnet_union": ControlNetUnionLoader(),
    "ip_adapter": IPAdapterLoader(),
    "z_image_controlnet": ZImageControlNetLoader(),
}


def register_guide(name: str, loader: GuideLoader) -> None:
    """Guides that name it are loaded by `loader` from now on."""
    _LOADERS[name] = loader


def check_takes(model: LatentModel, guide: GuideFiles) -> None:
    """Raises ConditionUnsupported where the model does not apply what that guide adds."""
    if guide_loader(guide).effect not in model.effects:
        raise ConditionUnsupported(
            "{id} cannot be guided by {guide_id}.",
            hint="Leave the condition out, or choose another checkpoint.",
            id=model.checkpoint.id,
            guide_id=guide.id,
        )


def guide_loader(files: GuideFiles) -> GuideLoader:
    """What loads that guide. Raises KeyError for a name that nobody registered."""
    return _LOADERS[files.loader]
