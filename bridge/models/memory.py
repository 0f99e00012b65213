"""What a checkpoint takes in memory, told before it is loaded, and what of it is on the device where that falls short.

Weights are counted by the headers of its files, what computing takes by its family's facts. All sizes are bytes.
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path

from .checkpoint import Checkpoint
from .errors import ModelsError
from .families.family import WorkingMemory
from .formats.quantisation import COMFY, SCALES
from .parts import Part
from .tensor_file import FileHeader, read_header

__all__ = [
    "WHOLE",
    "MemoryNeeds",
    "Offload",
    "PartMemory",
    "Placement",
    "device_memory",
    "memory_needs",
    "place_on",
    "usable_memory",
]

_GIB = 1 << 30
# Of a device's memory, what is left to its driver, to other programs, and to what lies between the tensors.
_DRIVER, _GAPS = 0.4 * _GIB, 0.08
# What a text encoder computes with, at the longest prompts.
_TEXT_WORKING = 160_000_000
# The VAE is no use on smaller pictures at a time.
_LEAST_VAE_PIXELS = 256 * 256
_FLOAT8 = ("F8_E4M3", "F8_E5M2")
# What GGUF files hold that torch computes with, or that is widened when it is read.
_WIDE = (
    "F32",
    "F16",
    "BF16",
    "IQ1_S",
    "IQ1_M",
    "IQ2_XXS",
    "IQ2_XS",
    "IQ2_S",
    "IQ3_XXS",
    "IQ3_S",
    "TQ1_0",
    "TQ2_0",
    "MXFP4",
)
# Tables that rows are taken from, and no layers that compute.
_LOOKED_UP = re.compile(r"(embed_tokens|shared|token_embedding|position_embedding|positional_embedding)\b")
_BESIDE = (*SCALES, ".weight_scale_2", ".input_scale", ".scale_input", "scaled_fp8", "lm_head.weight", COMFY)


class Offload(IntEnum):
    """What waits outside a device, step by step as its memory falls short: what a job uses once costs least."""

    NOTHING = 0
    ALL_BUT_DENOISER = 1
    ALL = 2


@dataclass(frozen=True)
class PartMemory:
    """A part's weights: how many there are, how many of them can stay in memory as they are in its files, the bytes of
    these, and how many are in the largest one.
    """

    parameters: int = 0
    packable: int = 0
    packed_bytes: int = 0
    largest: int = 0

    def size(self, width: int, *, packed: bool) -> int:
        """Bytes at `width` bytes a weight; `packed`: as they are in the files, where they can."""
        return (self.parameters - self.packable) * width + self.packed_bytes if packed else self.parameters * width

    def __add__(self, other: "PartMemory") -> "PartMemory":
        return PartMemory(
            self.parameters + other.parameters,
            self.packable + other.packable,
            self.packed_bytes + other.packed_bytes,
            max(self.largest, other.largest),
        )


@dataclass(frozen=True)
class Placement:
    """What of a checkpoint is on a device. None of it changes a picture but `vae_pixels`, and that by a rounding.

    `packed`: weights that are small in its files (float8, int8, nvfp4, GGUF) are so in memory too, and widened when
    they are used. `vae_pixels` is how many pixels the VAE takes at once, None: as many as there are. `planned`: chosen
    before loading.
    """

    offload: Offload = Offload.NOTHING
    packed: bool = False
    vae_pixels: int | None = None
    planned: bool = False


WHOLE = Placement()
"""Everything on the device."""


@dataclass(frozen=True)
class MemoryNeeds:
    """What painting one picture of a checkpoint's native size takes.

    `width` is bytes of a weight of the denoiser and the text encoders; the VAE is in float32. `predictions` is how many
    the denoiser makes at once: two where guidance asks for it.
    """

    denoiser: PartMemory
    vae: PartMemory
    texts: PartMemory
    pixels: int
    width: int
    working: WorkingMemory
    predictions: int = 1

    @property
    def is_packable(self) -> bool:
        """Whether packing makes it smaller."""
        return self.denoiser.packable + self.texts.packable > 0

    @property
    def weights(self) -> int:
        """Bytes of all weights, as they are computed with."""
        return self._size(self.denoiser) + self._size(self.texts) + self.vae.size(4, packed=False)

    def whole(self) -> int:
        """Bytes of the device where everything stays there."""
        return self.on_device(Offload.NOTHING, packed=True)

    def least(self) -> int:
        """Bytes of the device where all waits outside that can."""
        return self.on_device(Offload.ALL, packed=True, vae_pixels=_LEAST_VAE_PIXELS)

    def on_device(self, offload: Offload, *, packed: bool = False, vae_pixels: int | None = None) -> int:
        """Bytes of the device at the moment when most is needed: reading the prompt, denoising, or decoding.

        Of what waits outside there is one layer at a time.
        """
        pixels = min(vae_pixels or self.pixels, self.pixels)
        computing = (
            _TEXT_WORKING + self._layer(self.texts, self.width, waits=offload >= Offload.ALL_BUT_DENOISER),
            self._step + self._layer(self.denoiser, self.width, waits=offload is Offload.ALL),
            pixels * self.working.vae + self._layer(self.vae, 4, waits=offload >= Offload.ALL_BUT_DENOISER),
        )
        return self._resident(offload, packed=packed) + max(computing)

    def vae_pixels(self, room: int, offload: Offload, *, packed: bool) -> int:
        """How many pixels the VAE has room for at once beside what else is on the device."""
        layer = self._layer(self.vae, 4, waits=offload >= Offload.ALL_BUT_DENOISER)
        return (room - self._resident(offload, packed=packed) - layer) // self.working.vae

    def _resident(self, offload: Offload, *, packed: bool) -> int:
        denoiser, texts = (self._size(one, packed=packed) for one in (self.denoiser, self.texts))
        once = texts + self.vae.size(4, packed=False)
        return {Offload.NOTHING: denoiser + once, Offload.ALL_BUT_DENOISER: denoiser, Offload.ALL: 0}[offload]

    @staticmethod
    def _layer(part: PartMemory, width: int, *, waits: bool) -> int:
        return part.largest * width if waits else 0

    @property
    def _step(self) -> int:
        return self.pixels * self.working.denoiser * self.predictions * self.width // 2

    def _size(self, part: PartMemory, *, packed: bool = False) -> int:
        return part.size(self.width, packed=packed)


def memory_needs(checkpoint: Checkpoint, *, width: int = 2) -> MemoryNeeds | None:
    """What a checkpoint needs at `width` bytes a weight; None where it cannot be told by its files."""
    family = checkpoint.family
    try:
        denoiser, vae, *texts = (_part_memory(checkpoint.part(name)) for name in family.weighted_parts)
    except (KeyError, OSError, ModelsError):
        return None
    card = checkpoint.card
    return MemoryNeeds(
        denoiser=denoiser,
        vae=vae,
        texts=sum(texts, PartMemory()),
        pixels=card.native_pixels,
        width=width,
        working=family.working_memory,
        predictions=1 if card.default_guidance == 1 else 2,
    )


def usable_memory(device_bytes: int) -> int:
    """What of a device's memory is there for weights and computing."""
    return max(0, int(device_bytes * (1 - _GAPS) - _DRIVER))


def device_memory(size: int) -> int:
    """The memory of a device that has so many bytes usable."""
    return math.ceil((size + _DRIVER) / (1 - _GAPS))


def place_on(needs: MemoryNeeds, device_bytes: int) -> Placement:
    """The placement that costs least time among those that a device of so much memory has room for.

    Where it has room for none: the one that needs least.
    """
    room = usable_memory(device_bytes)
    for offload, packed, tiled in _placements(needs):
        pixels = None
        if tiled:
            pixels = min(needs.pixels, max(_LEAST_VAE_PIXELS, needs.vae_pixels(room, offload, packed=packed)))
        if needs.on_device(offload, packed=packed, vae_pixels=pixels) <= room:
            return Placement(offload, packed, pixels, planned=True)
    return Placement(Offload.ALL, needs.is_packable, _LEAST_VAE_PIXELS, planned=True)


def _placements(needs: MemoryNeeds) -> Iterator[tuple[Offload, bool, bool]]:
    """Offload, packed, VAE in tiles, by the time that they cost."""
    for offload in Offload:
        for tiled in (False, True):
            # Tiles cost a little more than what waits outside and is used once.
            if tiled and offload is Offload.NOTHING:
                continue
            for packed in (False, True) if needs.is_packable else (False,):
                yield offload, packed, tiled


def _part_memory(part: Part) -> PartMemory:
    found = PartMemory()
    for file in part.files:
        if file.suffix != ".json":
            stat = os.stat(file)
            found += _file_memory(file, part.prefix, stat.st_mtime_ns, stat.st_size)
    if not found.parameters:
        raise KeyError(part.name)
    return found


@lru_cache(maxsize=512)
def _file_memory(file: Path, prefix: str, _changed: int, _size: int) -> PartMemory:
    header = read_header(file)
    found = PartMemory()
    for name, shape in header.shapes.items():
        if name.startswith(prefix) and not name.endswith(_BESIDE):
            found += _tensor_memory(header, name, math.prod(shape))
    return found


def _tensor_memory(header: FileHeader, name: str, count: int) -> PartMemory:
    kind, begin, end = header.places[name]
    size, layer = end - begin, name.removesuffix(".weight")
    if kind == "U8" and f"{layer}.weight_scale_2" in header.shapes:
        # nvfp4: two numbers a byte.
        count *= 2
    scale = next((header.shapes[layer + end] for end in SCALES if layer + end in header.shapes), None)
    if scale is not None:
        # A float for each row, or a byte for each sixteen numbers.
        size += math.prod(scale) if kind == "U8" else header.shapes[name][0] * 4
    small = kind in _FLOAT8 or scale is not None or (header.is_gguf and kind not in _WIDE)
    # Quantised matrices, and convolutions in plain float8.
    matrix = len(header.shapes[name]) == 2 or (len(header.shapes[name]) == 4 and kind in _FLOAT8 and scale is None)
    packable = small and matrix and not _LOOKED_UP.search(name)
    return PartMemory(count, count if packable else 0, size if packable else 0, count)
