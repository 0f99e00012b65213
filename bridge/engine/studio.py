"""Where jobs are done: a Submit becomes a painter's Request, and the painter's layers the wire's.

Importing this imports torch.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from ..canvas import geometry
from ..diffusion import ComponentCache, Device, find_device
from ..home import find_home
from ..models import Checkpoint, ControlNetRegistry, EmbeddingNames, LoraRegistry, Registry, WildcardRegistry
from ..painter import Hooks, Kept, PaintedLayer, Request, paint_parts
from ..protocol.errors import BridgeError
from ..protocol.messages import MOST_HINTS, DeviceInfo, Layer, Recipe, Submit, Train
from ..protocol.pixels import Buffer
from ..training.lessons import Lesson
from . import pictures
from .calls import WorkerSettings
from .guidance import read_conditions, used_conditions
from .inputs import Inputs
from .port import TaskTrained, picture_seeds
from .teaching import Teacher
from .wordings import Worded, read_wordings, used_loras

__all__ = ["Painted", "Studio", "open_studio", "warm_up"]


# As many as a result holds.


@dataclass(frozen=True)
class Painted:
    """What goes back: the layers, described, and their bytes by hash."""

    layers: tuple[Layer, ...]
    pictures: dict[str, Buffer]
    reach: int
    timings: dict[str, float]
    hints: tuple[str, ...]


def open_studio(settings: WorkerSettings) -> tuple[Studio, DeviceInfo]:
    """Find the device and the checkpoints' folders. Loads no checkpoint.

    Raises:
        BridgeError: ``worker_crashed`` when the settings name a device that is not there.
    """
    device = find_device()
    if settings.device == "cpu" and device.kind != "cpu":
        name = platform.processor() or platform.machine() or "CPU"
        memory = psutil.virtual_memory().total
        device = Device("cpu", name, memory, "float32", "The settings ask for the CPU.")
    if settings.device not in ("auto", device.kind):
        raise BridgeError(
            "worker_crashed",
            "The settings ask to paint on {device}, which torch does not find on this machine.",
            "Set `device` to auto or cpu, or run `paintbridge doctor` to see what is missing.",
            device=settings.device,
        )
    folders = tuple(map(Path, settings.models))
    registry = Registry(folders, default=settings.default_checkpoint)
    told = DeviceInfo(device.kind[:16], device.name[:256], device.dtype[:16], device.memory_bytes)
    return Studio(registry, LoraRegistry(folders), ControlNetRegistry(folders), device, folders), told


def warm_up() -> None:
    """Import now, while nobody waits, what the model libraries put off until it is used: 2 s of the first job."""
    from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel  # noqa: F401
    from transformers import CLIPTextModel, CLIPTokenizer  # noqa: F401


class Studio:
    """Does jobs. Keeps the checkpoint that was used last in memory, and what jobs on the same pixels share."""

    def __init__(
        self,
        registry: Registry,
        loras: LoraRegistry,
        controlnets: ControlNetRegistry,
        device: Device,
        folders: Sequence[Path] = (),
    ) -> None:
        """``folders`` hold checkpoints, with wildcards and textual inversions beside them; what is learnt goes into the
        `loras` of the first. None given: the bridge's own.
        """
        self.teacher = Teacher(registry, loras, device, folders[0] if folders else find_home().models)
        self._registry = registry
        self._loras = loras
        self._controlnets = controlnets
        self._wildcards = WildcardRegistry(folders)
        self._embeddings = EmbeddingNames(folders)
        self._device = device
        self._cache = ComponentCache(device)
        self._kept = Kept()
        self._versions = {name: metadata.version(name) for name in ("paintbridge", "torch", "diffusers")}

    def free(self) -> None:
        """Let go of all checkpoints, and of all that was made with them."""
        self._kept.free()
        self._cache.free()

    def teach(self, train: Train, lessons: Sequence[Lesson], hooks: Hooks) -> TaskTrained:
        """Teach, with all of the memory; raises as :meth:`.teaching.Teacher.teach`."""
        self.free()
        try:
            return self.teacher.teach(train, lessons, hooks)
        finally:
            # What it took is given back to the system.
            self._cache.free()

    def do(self, submit: Submit, inputs: Inputs, hooks: Hooks) -> Painted:
        """Paint.

        Raises:
            Cancelled: as soon as ``hooks.check`` does; errors that :func:`bridge_error` knows.
        """
        if submit.seed is None or submit.strength is None:
            raise BridgeError("missing_field", "The job came without a seed or a strength.")
        checkpoint = self._registry.get(submit.checkpoint)
        canvas, context = submit.canvas, submit.context
        request = Request(
            kind=submit.kind,
            mode=submit.mode,
            canvas=geometry.Size(canvas.width, canvas.height),
            context=geometry.Rect(context.x, context.y, context.width, context.height),
            picture=inputs.picture,
            selection=inputs.selection,
            strength=submit.strength,
            steps=submit.steps,
            guidance=submit.guidance,
            sampler=submit.sampler,
            grow=submit.grow,
            feather=submit.feather,
            strict=submit.strict,
            scale=submit.scale,
            previews=submit.previews,
            conditions=read_conditions(submit, inputs, self._controlnets, checkpoint),
        )
        wordings = read_wordings(
            submit, self._loras, self._wildcards, self._embeddings(), checkpoint, check=hooks.check
        )
        parts = [(_worded(request, part), self._cache.on_demand(checkpoint, part.worn)) for part in wordings]
        painting = paint_parts(parts, hooks, self._kept)
        asked_in = {seed: part for part in wordings for seed in part.seeds}
        seeds = picture_seeds(submit)
        hints = dict.fromkeys((*painting.hints, *(hint for part in wordings for hint in part.hints)))
        checkpoint_hash = checkpoint.content_hash(check=hooks.check)
        guided_by = used_conditions(submit, request.conditions, check=hooks.check)
        data: dict[str, Buffer] = {}
        layers = []
        for painted in sorted(painting.layers, key=lambda layer: seeds.index(layer.seed)):
            hooks.check()
            picture, data_of_picture = pictures.encode(painted.layer.pixels, submit.result)
            data[picture.hash] = data_of_picture
            recipe = replace(
                self._recipe(submit, painted, asked_in[painted.seed], checkpoint, checkpoint_hash), conditions=guided_by
            )
            layers.append(Layer(painted.layer.rect.x, painted.layer.rect.y, picture, recipe))
        reach = max(painted.layer.reach for painted in painting.layers)
        return Painted(tuple(layers), data, reach, dict(painting.timings), tuple(hints)[:MOST_HINTS])

    def _recipe(
        self, submit: Submit, painted: PaintedLayer, worded: Worded, checkpoint: Checkpoint, checkpoint_hash: str
    ) -> Recipe:
        chosen, chosen_negative = worded.wording.chosen, worded.wording.chosen_negative
        settings: dict[str, Any] = painted.settings
        device = self._cache.device_of(checkpoint)
        return Recipe(
            kind=submit.kind,
            prompt=submit.prompt,
            negative_prompt=submit.negative_prompt,
            seed=painted.seed,
            checkpoint=checkpoint.id,
            checkpoint_hash=checkpoint_hash,
            context=submit.context,
            device=f"{device.kind} {device.dtype}",
            versions=self._versions,
            chosen_prompt="" if chosen == submit.prompt else chosen,
            chosen_negative_prompt="" if chosen_negative == submit.negative_prompt else chosen_negative,
            loras=used_loras(worded),
            **settings,
        )


def _worded(request: Request, part: Worded) -> Request:
    wording = part.wording
    return replace(request, prompt=wording.wanted, negative_prompt=wording.unwanted, seeds=part.seeds)
