"""What messages are made of: sizes, rectangles, pictures, and what a bridge tells of itself. Runs on Python 3.9."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .fields import StrEnum, described, hash_field

__all__ = [
    "CHUNK_BYTES",
    "MAX_OFFSET",
    "MAX_SIDE",
    "MOST_HINTS",
    "PREVIEW_SIDE",
    "CheckpointInfo",
    "Depth",
    "DeviceInfo",
    "Document",
    "Encoding",
    "Extent",
    "Limits",
    "LoraInfo",
    "Picture",
    "Recommended",
    "Rect",
]

CHUNK_BYTES = 1 << 20
"""Most bytes of one ``put``; between two of them control messages pass."""
PREVIEW_SIDE = 1024
"""Most pixels a side of a ``preview``."""
MOST_HINTS = 16
"""Most hints of a ``result`` or ``trained``."""
MAX_SIDE = 1 << 20
MAX_OFFSET = 1 << 24


class Depth(StrEnum):
    """The type of one channel value."""

    U8 = "u8"
    U16 = "u16"
    F16 = "f16"
    F32 = "f32"


class Encoding(StrEnum):
    """How pixels are packed."""

    RAW = "raw"
    PNG = "png"
    WEBP = "webp"


@dataclass(frozen=True)
class Document:
    """The document that a job is for, as its results are kept with it."""

    id: str = described("What tells it from all others; the same whenever it is opened.", min=1, max=256)
    name: str = described("Its name, for people.", "", max=256)


@dataclass(frozen=True)
class Extent:
    """A size in canvas pixels."""

    width: int = described("Pixels across.", min=1, max=MAX_SIDE)
    height: int = described("Pixels down.", min=1, max=MAX_SIDE)


@dataclass(frozen=True)
class Rect:
    """A rectangle of the canvas. It may lie partly outside."""

    x: int = described("Left edge.", min=-MAX_OFFSET, max=MAX_OFFSET)
    y: int = described("Top edge.", min=-MAX_OFFSET, max=MAX_OFFSET)
    width: int = described("Pixels across.", min=1, max=MAX_SIDE)
    height: int = described("Pixels down.", min=1, max=MAX_SIDE)


@dataclass(frozen=True)
class Picture:
    """A picture, named by the content hash of the bytes that travel.

    Colour is sRGB-encoded with straight alpha; one channel is linear coverage (a mask). ``raw`` pixels are rows from
    top to bottom without padding, channels interleaved, little endian. ``png`` and ``webp`` (lossless) exist for
    clients on another machine.
    """

    hash: str = hash_field("SHA-256 of the bytes, lower-case hexadecimal.")
    byte_count: int = described("How many bytes travel.", min=1, max=1 << 40)
    width: int = described("Pixels across.", min=1, max=MAX_SIDE)
    height: int = described("Pixels down.", min=1, max=MAX_SIDE)
    channels: int = described("1: mask, 3: RGB, 4: RGBA.", min=1, max=4)
    depth: Depth = described("Type of one channel value.", Depth.U8)
    encoding: Encoding = described("How the pixels are packed.", Encoding.RAW)


@dataclass(frozen=True)
class Limits:
    """What the bridge accepts."""

    frame_bytes: int = described("Most bytes of one frame.", min=1)
    picture_pixels: int = described("Most pixels of one picture.", min=1)
    upload_bytes: int = described("Most bytes of pictures that a session may hold.", min=1)
    queued_jobs: int = described("Most jobs of one session that may wait.", min=1)
    batch: int = described("Most pictures of one job.", min=1)
    resume_seconds: float = described("How long a session outlives its connection.", min=0.0)


@dataclass(frozen=True)
class CheckpointInfo:
    """A checkpoint that the bridge can use."""

    name: str = described("Its name; goes into submit.", max=256)
    family: str = described("What it shares an architecture with.", max=32)
    inpaint: bool = described("Made for filling (9 input channels).")
    native_pixels: int = described("Pixels that it paints at once.", min=1)
    default_steps: int = described("Steps that suit it.", min=1, max=1000)
    default_guidance: float = described("Guidance that suits it.", min=0.0, max=100.0)
    default_sampler: str = described("Sampler that suits it.", max=64)
    demo: bool = described("A small checkpoint for trying out; names what it knows.")
    known_names: tuple[str, ...] = described("Things that a demo checkpoint knows by name.", (), max=4096)
    conditions: tuple[str, ...] = described("Kinds of conditions that it takes.", (), max=32)
    memory_bytes: int = described(
        "Memory of a graphics card that holds all of it while it paints at its native size; 0: unknown.", 0, min=0
    )
    least_memory_bytes: int = described(
        "Memory of a card that it paints on at all, with what can wait in the machine's memory; 0: unknown.", 0, min=0
    )


@dataclass(frozen=True)
class Recommended:
    """A checkpoint on the Hugging Face hub that is worth fetching. The bridge fetches these and no others."""

    name: str = described("Its name on the hub, owner/name; goes into `pull`.", max=64)
    family: str = described("What it shares an architecture with.", max=32)
    inpaint: bool = described("Made for filling (9 input channels).")
    good_at: str = described("What it is good at, in words for the artist.", max=256)
    licence: str = described("Its licence, as the hub names it.", max=64)
    download_bytes: int = described("Bytes to fetch, about.", min=1)
    memory_bytes: int = described("Memory of a graphics card that it wants, about; without one, twice that.", min=1)
    checkpoint: Optional[str] = described("Its name among the checkpoints; none: it is not here.", None, max=256)


@dataclass(frozen=True)
class LoraInfo:
    """A LoRA that prompts can name: `<lora:NAME:0.8>`."""

    name: str = described("Its name.", max=512)
    family: str = described("Family of the checkpoints that it was made for.", max=32)
    trigger_words: tuple[str, ...] = described("Words for the prompt that call it up, if its trainer says.", (), max=16)


@dataclass(frozen=True)
class DeviceInfo:
    """Where the model runs."""

    kind: str = described("cpu, cuda, rocm, xpu or mps.", max=16)
    name: str = described("The device's own name.", max=256)
    precision: str = described("Number type in which the model runs.", max=16)
    memory_bytes: int = described("Memory of the device; 0: unknown.", min=0)
