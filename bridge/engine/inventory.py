"""What models a worker has, as plain data that could cross a wire: no paths to read, nothing loaded.

Files and folders are named only in sentences for people. The look-ups read nothing but this data, so whoever holds an
inventory can choose from it: the server for its lists and plans, a pool for the machine that a job goes to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..models.checkpoint import DenoiserShape
from ..models.controlnets import choose_controlnet, choose_inpainting, condition_kinds
from ..models.errors import ModelsError
from ..models.estimators import EstimatorTask, choose_estimators, estimated_kinds
from ..models.lora import check_fits
from ..models.loras import choose_lora
from ..models.registry import choose_checkpoint
from ..protocol.errors import BridgeError
from ..protocol.messages import Condition, Recommended

__all__ = [
    "CheckpointEntry",
    "ControlNetEntry",
    "EstimatorEntry",
    "FamilyEntry",
    "Inventory",
    "LoraEntry",
    "UnusableEntry",
]


@dataclass(frozen=True)
class FamilyEntry:
    """A family's name, its title for people, and what edges of pictures must be divisible by, in pixels.

    ``own_kinds`` are the kinds of guides that it takes without a network, ``reference_roles`` what can be painted of
    a reference.
    """

    name: str
    title: str
    multiple: int
    own_kinds: tuple[str, ...] = ()
    reference_roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckpointEntry:
    """A checkpoint: what lists show of it, and what planning a context needs.

    ``id`` is its unique name. ``hash`` is its content's, 64 hex digits, None until something has read the files whole:
    hashing gigabytes is left to the first job that uses them. ``inpaint`` says that its denoiser takes the masked
    picture as further channels. ``native_pixels`` is the pixel count that it paints best at, ``native_range`` the
    fewest and the most that it paints without resampling, None: just about the native. ``known_names`` are the
    things that a small checkpoint can paint; empty: no such bounds. ``memory_bytes`` is the memory of a device that
    holds all of it while it paints, in half precision, ``least_memory_bytes`` of one from which all waits outside that
    can; 0: not known.
    """

    id: str
    hash: str | None
    family: FamilyEntry
    shape: DenoiserShape
    inpaint: bool
    native_pixels: int
    default_steps: int
    default_guidance: float
    default_sampler: str
    native_range: tuple[int, int] | None = None
    memory_bytes: int = 0
    least_memory_bytes: int = 0
    known_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class LoraEntry:
    """A LoRA; ``id`` and ``hash`` as a checkpoint's."""

    id: str
    hash: str | None
    family: FamilyEntry
    trigger_words: tuple[str, ...] = ()


@dataclass(frozen=True)
class ControlNetEntry:
    """A ControlNet; ``id`` and ``hash`` as a checkpoint's. ``shape`` is that of the UNets that it fits, ``conditions``
    the kinds of condition that it takes, of Paintbridge's; ``inpainting`` whether it guides fills.
    """

    id: str
    hash: str | None
    family: FamilyEntry
    shape: DenoiserShape
    conditions: tuple[str, ...]
    inpainting: bool = False


@dataclass(frozen=True)
class EstimatorEntry:
    """A network that makes maps of pictures; ``id`` and ``hash`` as a checkpoint's, ``task`` is what it tells."""

    id: str
    hash: str | None
    task: EstimatorTask


@dataclass(frozen=True)
class UnusableEntry:
    """A model that cannot be used, and why, in the words of a BridgeError."""

    id: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True)
class Inventory:
    """The models of one worker.

    Names are unique within a kind. ``default_checkpoint`` is the name that is meant where none is given, None where
    there is no checkpoint at all; it may name one that is not there. ``recommended`` are the checkpoints that can be
    pulled, with the names of those that are here already. LoRAs, ControlNets and estimators are put into the
    three folders.
    """

    worker: str
    checkpoints: tuple[CheckpointEntry | UnusableEntry, ...] = ()
    loras: tuple[LoraEntry | UnusableEntry, ...] = ()
    controlnets: tuple[ControlNetEntry | UnusableEntry, ...] = ()
    default_checkpoint: str | None = None
    recommended: tuple[Recommended, ...] = ()
    loras_folder: str = ""
    controlnets_folder: str = ""
    estimators: tuple[EstimatorEntry | UnusableEntry, ...] = ()
    estimators_folder: str = ""

    def checkpoint(self, name: str | None) -> CheckpointEntry:
        """The checkpoint of that name; None: the default one.

        Raises:
            BridgeError: ``checkpoint_unknown``, or why it cannot be used.
        """
        try:
            return choose_checkpoint(_by_name(self.checkpoints), name or self.default_checkpoint)
        except ModelsError as error:
            raise BridgeError(error.code, error.message, error.hint) from None

    def check(
        self,
        checkpoint: CheckpointEntry,
        *,
        loras: Collection[str] = (),
        conditions: Collection[Condition] = (),
        inpainting: str | None = None,
    ) -> None:
        """See that LoRAs of these names were made for the checkpoint, that each condition has a ControlNet for it, and
        that the one for inpainting is one, if one is named.

        Raises:
            BridgeError: ``lora_unknown lora_unsupported unsupported_condition``, or why one of them cannot be used.
        """
        known_loras, known_nets = _by_name(self.loras), _by_name(self.controlnets)
        try:
            for name in loras:
                check_fits(choose_lora(known_loras, name, folder=self.loras_folder), checkpoint)
            for one in conditions:
                choose_controlnet(
                    known_nets, one.kind, checkpoint, one.controlnet, folder=self.controlnets_folder, role=one.role
                )
            if inpainting is not None:
                choose_inpainting(known_nets, checkpoint, inpainting)
        except ModelsError as error:
            raise BridgeError(error.code, error.message, error.hint) from None

    def check_estimators(self, kind: str, name: str | None) -> None:
        """See that maps of a kind can be made, with the estimator of that name, if one is given.

        Raises:
            BridgeError: ``estimator_missing``, or why the one of that name cannot be used.
        """
        try:
            choose_estimators(_by_name(self.estimators), kind, name, folder=self.estimators_folder)
        except ModelsError as error:
            raise BridgeError(error.code, error.message, error.hint) from None

    def map_kinds(self) -> tuple[str, ...]:
        """The kinds of maps that can be made."""
        return estimated_kinds(_by_name(self.estimators))

    def condition_kinds(self, checkpoint: CheckpointEntry) -> tuple[str, ...]:
        """The kinds of condition that the checkpoint takes."""
        return condition_kinds((net for net in self.controlnets if isinstance(net, ControlNetEntry)), checkpoint)


E = TypeVar("E", CheckpointEntry, LoraEntry, ControlNetEntry, EstimatorEntry)


def _by_name(entries: tuple[E | UnusableEntry, ...]) -> Mapping[str, E | Exception]:
    return {
        entry.id: BridgeError(entry.code, entry.message, entry.hint) if isinstance(entry, UnusableEntry) else entry
        for entry in entries
    }
