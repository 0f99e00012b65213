"""What choosing among models needs to know of them.

`Checkpoint`, `Lora` and `ControlNet` have it, and so has what an engine tells of models on another machine.
"""

from typing import Protocol

from .checkpoint import DenoiserShape

__all__ = ["ControlNetFacts", "DenoiserFacts", "FamilyFacts", "FillingFacts", "ModelFacts"]


class FamilyFacts(Protocol):
    """A family's name, by which families are compared, its title for people; the kinds of guides that it takes
    itself, and what can be painted of a reference.
    """

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def own_kinds(self) -> tuple[str, ...]: ...

    @property
    def reference_roles(self) -> tuple[str, ...]: ...


class ModelFacts(Protocol):
    """A model's unique name among its kind, and its family."""

    @property
    def id(self) -> str: ...

    @property
    def family(self) -> FamilyFacts: ...


class DenoiserFacts(ModelFacts, Protocol):
    """A model that has a UNet, or was made for one: its shape too."""

    @property
    def shape(self) -> DenoiserShape: ...


class ControlNetFacts(DenoiserFacts, Protocol):
    """A ControlNet, the kinds of condition that it takes, of Paintbridge's; and how it guides fills, if it does."""

    @property
    def conditions(self) -> tuple[str, ...]: ...

    @property
    def inpainting(self) -> object: ...


class FillingFacts(DenoiserFacts, Protocol):
    """A model that has a denoiser; `inpaint` says that this takes the masked picture itself."""

    @property
    def inpaint(self) -> bool: ...
