"""Which guides there are: how each class of guides on disk is loaded and prepared."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from ...models import Checkpoint, ConditionUnsupported, ControlNet
from ..model import Conditioner, Effect, LatentModel
from .controlnet import ControlNetLoader

__all__ = ["GuideFiles", "GuideLoader", "check_takes", "guide_loader", "register_guide"]


class GuideFiles(Protocol):
    """A guide on disk, hashable: two are the same if they are equal."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def files(self) -> Sequence[Path]:
        """What loading reads."""

    def content(self, check: Callable[[], None]) -> str:
        """A hash over its files; `check` may raise to end the reading."""

    def check_fits(self, checkpoint: Checkpoint) -> None:
        """Raises ConditionUnsupported where the checkpoint cannot be guided by it."""


class GuideLoader(Protocol):
    """What is done with one class of guides. `effect` is the form of what they add."""

    effect: type[Effect]

    def load(self, files: Any, dtype: torch.dtype) -> nn.Module:
        """Its network, on the CPU."""

    def prepare(self, network: Any, picture: torch.Tensor) -> Conditioner:
        """The guide for a plane. `picture` is (1, 3, h, w), 0..1, of the plane's pixels, on the CPU."""


_LOADERS: dict[type, GuideLoader] = {ControlNet: ControlNetLoader()}


def register_guide(kind: type, loader: GuideLoader) -> None:
    """Guides of the class `kind`, a `GuideFiles`, are loaded by `loader` from now on."""
    _LOADERS[kind] = loader


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
    """What loads that guide. Raises KeyError for a class that nobody registered."""
    return _LOADERS[type(files)]
