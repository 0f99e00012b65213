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
from ..diffusion import Device, ModelCache, find_device
from ..home import find_home
from ..models import (
    ControlNetRegistry,
    EmbeddingRegistry,
    EstimatorRegistry,
    LoraRegistry,
    Registry,
    WildcardRegistry,
)
from ..painter import Hooks, PaintedLayer, Region, Request, ResultCache, paint_parts
from ..protocol.errors import BridgeError
from ..protocol.messages import MOST_HINTS, DeviceInfo, JobKind, JobSettings, Layer, Picture, Recipe, Submit, Train
from ..protocol.pixels import Buffer
from ..training.dataset import TrainingImage
from . import pictures
from .conditions import controlnet_hashes, read_conditions, read_inpainting, resolved_conditioning
from .filling import about_missing_controlnet, filling_checkpoint, wants_controlnet
from .inputs import Inputs
from .lora_training import LoraTrainer
from .map_estimation import MapEstimator, people_of
from .messages import WorkerSettings
from .parsed_prompts import PromptGroup, group_by_prompt, used_embeddings, used_loras
from .port import TaskTrained, picture_seeds

__all__ = ["JobExecutor", "Painted", "open_executor", "warm_up"]


@dataclass(frozen=True)
class Painted:
    """What goes back: the layers, described, and their bytes and thumbnails by hash."""

    layers: tuple[Layer, ...]
    pictures: dict[str, Buffer]
    reach: int
    timings: dict[str, float]
    hints: tuple[str, ...]
    thumbnails: dict[str, tuple[Picture, bytes]]


def open_executor(settings: WorkerSettings) -> tuple[JobExecutor, DeviceInfo]:
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
    return JobExecutor(registry, LoraRegistry(folders), ControlNetRegistry(folders), device, folders), told


def warm_up() -> None:
    """Import now, while nobody waits, what the model libraries put off until it is used: 2 s of the first job."""
    from ..diffusion.weights import import_classes

    import_classes()


class JobExecutor:
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
        self.trainer = LoraTrainer(registry, loras, device, folders[0] if folders else find_home().models)
        self._registry = registry
        self._loras = loras
        self._controlnets = controlnets
        self._wildcards = WildcardRegistry(folders)
        self._embeddings = EmbeddingRegistry(folders)
        self._device = device
        self._cache = ModelCache(device)
        self._results = ResultCache()
        self._maps = MapEstimator(EstimatorRegistry(folders), self._cache, self._results)
        self._versions = {name: metadata.version(name) for name in ("paintbridge", "torch", "diffusers")}

    def free(self) -> None:
        """Let go of all checkpoints, and of all that was made with them."""
        self._results.free()
        self._cache.free()

    def train(self, train: Train, images: Sequence[TrainingImage], hooks: Hooks) -> TaskTrained:
        """Train, with all of the memory; raises as :meth:`.lora_training.LoraTrainer.train`."""
        self.free()
        try:
            return self.trainer.train(train, images, hooks)
        finally:
            # What it took is given back to the system.
            self._cache.free()

    def do(self, submit: Submit, inputs: Inputs, hooks: Hooks) -> Painted:
        """Paint.

        Raises:
            Cancelled: as soon as ``hooks.check`` does; errors that :func:`bridge_error` knows.
        """
        settings = submit.settings
        if settings.sampling.seed is None:
            raise BridgeError("missing_field", "The job came without a seed.")
        if settings.kind == JobKind.ESTIMATE:
            return self._estimate(submit, inputs, settings.sampling.seed, hooks)
        checkpoint, about_filling = filling_checkpoint(
            settings, self._registry.get(settings.checkpoint), self._registry.list, check=hooks.check
        )
        canvas, context = submit.canvas, submit.context
        said = settings.conditioning.conditions
        request = Request(
            settings=settings,
            canvas=geometry.Size(canvas.width, canvas.height),
            context=geometry.Rect(context.x, context.y, context.width, context.height),
            picture=inputs.picture,
            selection=inputs.selection,
            conditions=read_conditions(said, inputs, self._controlnets, checkpoint),
            inpainting=read_inpainting(settings, self._controlnets, checkpoint),
            previews=submit.result.previews,
        )
        if wants_controlnet(settings, checkpoint) and request.inpainting is None:
            about_filling = (*about_filling, about_missing_controlnet(checkpoint))
        groups = group_by_prompt(
            settings, self._loras, self._wildcards, self._embeddings, checkpoint, check=hooks.check
        )
        parts = [
            (_of_group(request, inputs, group), self._cache.on_demand(checkpoint, group.loras, group.embeddings))
            for group in groups
        ]
        painting = paint_parts(parts, hooks, self._results)
        group_of = {seed: group for group in groups for seed in group.seeds}
        seeds = picture_seeds(settings.sampling)
        hints = dict.fromkeys((*painting.hints, *about_filling, *(hint for group in groups for hint in group.hints)))
        device = self._cache.device_of(checkpoint)
        found = {
            "context": context,
            "checkpoint_hash": checkpoint.content_hash(check=hooks.check),
            "controlnet_hashes": controlnet_hashes(request.conditions, check=hooks.check),
            "inpaint_controlnet_hash": request.inpainting.guide.content(hooks.check) if request.inpainting else "",
            "device": f"{device.kind} {device.dtype}",
            "versions": self._versions,
        }
        asked = resolved_conditioning(settings, request)
        data: dict[str, Buffer] = {}
        small: dict[str, tuple[Picture, bytes]] = {}
        layers = []
        for painted in sorted(painting.layers, key=lambda layer: seeds.index(layer.seed)):
            hooks.check()
            picture, data_of_picture = pictures.encode(painted.layer.pixels, submit.result)
            data[picture.hash] = data_of_picture
            small[picture.hash] = pictures.thumbnail(painted.layer.pixels)
            job = replace(painted.settings.job, checkpoint=checkpoint.id, conditioning=asked)
            recipe = _recipe(job, painted, group_of[painted.seed], found)
            layers.append(Layer(painted.layer.rect.x, painted.layer.rect.y, picture, recipe))
        reach = max(painted.layer.reach for painted in painting.layers)
        return Painted(tuple(layers), data, reach, dict(painting.timings), tuple(hints)[:MOST_HINTS], small)

    def _estimate(self, submit: Submit, inputs: Inputs, seed: int, hooks: Hooks) -> Painted:
        painting, found = self._maps.do(submit, inputs, seed, hooks)
        (painted,) = painting.layers
        picture, data = pictures.encode(painted.layer.pixels, submit.result)
        job: JobSettings = found.pop("settings")
        recipe = Recipe(
            settings=replace(job, sampling=replace(job.sampling, seed=seed, batch=1)),
            context=submit.context,
            checkpoint_hash="",
            model_width=0,
            model_height=0,
            batched=False,
            device=f"{self._device.kind} float32",
            versions=self._versions,
            **found,
        )
        rect = painted.layer.rect
        layer = Layer(rect.x, rect.y, picture, recipe, people_of(painted))
        hints, small = tuple(painting.hints)[:MOST_HINTS], {picture.hash: pictures.thumbnail(painted.layer.pixels)}
        return Painted((layer,), {picture.hash: data}, 0, dict(painting.timings), hints, small)


def _of_group(request: Request, inputs: Inputs, group: PromptGroup) -> Request:
    """The request for pictures of one parsed prompt."""
    words = replace(request.settings.conditioning, prompt=group.parsed.positive, negative_prompt=group.parsed.negative)
    regions = tuple(
        Region(parsed.positive, parsed.negative, mask)
        for parsed, mask in zip(group.regions, inputs.regions, strict=True)
    )
    settings = replace(request.settings, conditioning=words)
    return replace(request, settings=settings, regions=regions, seeds=group.seeds)


def _recipe(job: JobSettings, painted: PaintedLayer, group: PromptGroup, found: dict[str, Any]) -> Recipe:
    """The recipe of one picture. ``found`` are fields that all pictures of the job share."""
    words, parsed, size = job.conditioning, group.parsed, painted.settings.model_size
    return Recipe(
        settings=replace(job, sampling=replace(job.sampling, seed=painted.seed, batch=1)),
        model_width=0 if size is None else size.width,
        model_height=0 if size is None else size.height,
        batched=painted.settings.batched,
        chosen_prompt="" if parsed.chosen == words.prompt else parsed.chosen,
        chosen_negative_prompt="" if parsed.chosen_negative == words.negative_prompt else parsed.chosen_negative,
        loras=used_loras(group),
        embeddings=used_embeddings(group),
        **found,
    )
