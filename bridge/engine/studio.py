"""Where jobs are done: a Submit becomes a painter's Request, and the painter's layers the wire's.

Importing this imports torch.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from ..canvas import geometry
from ..diffusion import ComponentCache, Device, find_device
from ..models import Checkpoint, Registry
from ..models.hashing import content_hash
from ..painter import Hooks, Kept, PaintedLayer, Request, paint
from ..protocol.errors import BridgeError
from ..protocol.messages import DeviceInfo, Layer, Recipe, Submit
from ..protocol.pixels import Buffer
from . import pictures
from .calls import WorkerSettings
from .inputs import Inputs

__all__ = ["Painted", "Studio", "open_studio", "warm_up"]


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
            f"The settings ask to paint on {settings.device}, which torch does not find on this machine.",
            "Set `device` to auto or cpu, or run `paintbridge doctor` to see what is missing.",
        )
    registry = Registry(map(Path, settings.models), default=settings.default_checkpoint)
    told = DeviceInfo(device.kind[:16], device.name[:256], device.dtype[:16], device.memory_bytes)
    return Studio(registry, device), told


def warm_up() -> None:
    """Import now, while nobody waits, what the model libraries put off until it is used: 2 s of the first job."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel  # noqa: F401
    from transformers import CLIPTextModel, CLIPTokenizer  # noqa: F401


class Studio:
    """Does jobs. Keeps the checkpoint that was used last in memory, and what jobs on the same pixels share."""

    def __init__(self, registry: Registry, device: Device) -> None:
        self._registry = registry
        self._device = device
        self._cache = ComponentCache(device)
        self._kept = Kept()
        self._versions = {name: metadata.version(name) for name in ("paintbridge", "torch", "diffusers")}

    def free(self) -> None:
        """Let go of all checkpoints, and of all that was made with them."""
        self._kept.free()
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
            prompt=submit.prompt,
            negative_prompt=submit.negative_prompt,
            strength=submit.strength,
            steps=submit.steps,
            guidance=submit.guidance,
            sampler=submit.sampler,
            seeds=tuple((submit.seed + index) % (1 << 64) for index in range(submit.batch)),
            grow=submit.grow,
            feather=submit.feather,
            strict=submit.strict,
            scale=submit.scale,
        )
        painting = paint(request, self._cache.on_demand(checkpoint), hooks, self._kept)
        checkpoint_hash = content_hash(checkpoint.path, checkpoint.files, check=hooks.check)
        data: dict[str, Buffer] = {}
        layers = []
        for painted in painting.layers:
            hooks.check()
            picture, data_of_picture = pictures.encode(painted.layer.pixels, submit.result)
            data[picture.hash] = data_of_picture
            recipe = self._recipe(submit, painted, checkpoint, checkpoint_hash)
            layers.append(Layer(painted.layer.rect.x, painted.layer.rect.y, picture, recipe))
        reach = max(painted.layer.reach for painted in painting.layers)
        return Painted(tuple(layers), data, reach, dict(painting.timings), tuple(painting.hints))

    def _recipe(self, submit: Submit, painted: PaintedLayer, checkpoint: Checkpoint, checkpoint_hash: str) -> Recipe:
        settings: dict[str, Any] = painted.settings
        return Recipe(
            kind=submit.kind,
            prompt=submit.prompt,
            negative_prompt=submit.negative_prompt,
            seed=painted.seed,
            checkpoint=checkpoint.id,
            checkpoint_hash=checkpoint_hash,
            context=submit.context,
            device=f"{self._device.kind} {self._device.dtype}",
            versions=self._versions,
            **settings,
        )
