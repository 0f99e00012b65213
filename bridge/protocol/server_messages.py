"""What a bridge sends, one frozen dataclass a message. Runs on Python 3.9."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ..errors import Sentence
from .fields import described, hash_field
from .job import Mode, Stage
from .layer import Layer
from .parts import (
    CHUNK_BYTES,
    MOST_HINTS,
    PREVIEW_SIDE,
    CheckpointInfo,
    DeviceInfo,
    Limits,
    LoraInfo,
    Recommended,
    Rect,
)

__all__ = [
    "Cancelled",
    "Checkpoints",
    "Closing",
    "Device",
    "Error",
    "Failed",
    "Planned",
    "Preview",
    "Progress",
    "Pulled",
    "Pulling",
    "Queued",
    "Result",
    "Resumed",
    "Started",
    "Stored",
    "Trained",
    "Unpulled",
    "Wanted",
    "Welcome",
]


@dataclass(frozen=True)
class Welcome:
    """Answer to `hello`: a fresh session."""

    version: int = described("Protocol version that is spoken.", min=1)
    bridge: str = described("Version of the bridge.", max=64)
    session: str = described("Id of the session, for `resume`.", max=64)
    limits: Limits = described("What the bridge accepts.")
    checkpoints: tuple[CheckpointInfo, ...] = described("The default one first.", max=4096)
    samplers: tuple[str, ...] = described("Samplers by their usual names.", max=256)
    device: Optional[DeviceInfo] = described("Where the model runs; none: not known yet, a `device` follows.", None)
    recommended: tuple[Recommended, ...] = described("Checkpoints that are worth fetching.", (), max=256)
    loras: tuple[LoraInfo, ...] = described("LoRAs that prompts can name.", (), max=4096)
    maps: tuple[str, ...] = described("Kinds of maps that an `estimate` can make.", (), max=64)


@dataclass(frozen=True)
class Device:
    """Where the model runs, once known. Unnumbered."""

    device: DeviceInfo = described("The device.")


@dataclass(frozen=True)
class Checkpoints:
    """The lists of the welcome have changed: these take their place. Unnumbered, to every client."""

    checkpoints: tuple[CheckpointInfo, ...] = described("The default one first.", max=4096)
    recommended: tuple[Recommended, ...] = described("Checkpoints that are worth fetching.", max=256)
    loras: tuple[LoraInfo, ...] = described("LoRAs that prompts can name.", (), max=4096)
    maps: tuple[str, ...] = described("Kinds of maps that an `estimate` can make.", (), max=64)


@dataclass(frozen=True)
class Pulling:
    """How far a pull is. Unnumbered, to every client, also to one that connects meanwhile; the latest counts."""

    name: str = described("The checkpoint's name, as in `pull`.", max=64)
    done: int = described("Bytes that are here.", min=0)
    total: int = described("Bytes of all files together; 0: the hub is still being asked.", min=0)


@dataclass(frozen=True)
class Pulled:
    """The checkpoint is here, whole and checked; `checkpoints` came before. Unnumbered, to every client; or the answer
    to a `pull` of what is here already.
    """

    name: str = described("The checkpoint's name, as in `pull`.", max=64)
    checkpoint: str = described("Its name among the checkpoints.", max=256)


@dataclass(frozen=True)
class Unpulled:
    """The pull has ended without the checkpoint. Unnumbered, to every client."""

    name: str = described("The checkpoint's name, as in `pull`.", max=64)
    code: str = described("Error code; `pull_stopped` after `stop`.", max=64)
    message: Sentence = described("What happened.")
    hint: Sentence = described("What to do.")


@dataclass(frozen=True)
class Resumed:
    """Answer to `resume`: the missed events follow, and then the session goes on."""

    session: str = described("Id of the session.", max=64)
    replayed: int = described("How many events follow.", min=0)


@dataclass(frozen=True)
class Planned:
    """Answer to `plan`."""

    request: int = described("The request's number.", min=0)
    context: Rect = described("Read these pixels, and name this rectangle in `submit`.")
    mode: Mode = described("What auto comes to.")
    grow: float = described("Pixels that the selection will be grown by.", min=0.0)
    feather: float = described("Pixels of feather.", min=0.0)
    reach: int = described("How far beyond the selection alpha can reach, in pixels.", min=0)
    model_width: int = described("Width at which the model will paint.", min=1)
    model_height: int = described("Height at which the model will paint.", min=1)


@dataclass(frozen=True)
class Wanted:
    """Answer to `offer`: put these."""

    hashes: tuple[str, ...] = described("What the bridge lacks.", max=64)


@dataclass(frozen=True)
class Stored:
    """A picture has arrived whole, and its hash is right."""

    hash: str = hash_field("Which picture.")


@dataclass(frozen=True)
class Queued:
    """The job waits. Sent again when its place changes."""

    event: int = described("Number of the event.", min=1)
    job: str = described("Which job.", max=64)
    position: int = described("Jobs before it.", min=0)


@dataclass(frozen=True)
class Started:
    """The job runs."""

    event: int = described("Number of the event.", min=1)
    job: str = described("Which job.", max=64)


@dataclass(frozen=True)
class Progress:
    """How far the job is."""

    event: int = described("Number of the event.", min=1)
    job: str = described("Which job.", max=64)
    stage: Stage = described("What is being done.")
    step: int = described("Steps of this stage that are done.", min=0)
    steps: int = described("Steps of this stage.", min=1)
    seconds_left: Optional[float] = described("Estimate for the whole job; none: not known yet.", None, min=0.0)


@dataclass(frozen=True)
class Preview:
    """What the picture looks like so far: RGB, u8, raw, to be stretched over the context. Unnumbered; the latest
    counts.
    """

    job: str = described("Which job.", max=64)
    step: int = described("After which step.", min=0)
    width: int = described("Pixels across.", min=1, max=PREVIEW_SIDE)
    height: int = described("Pixels down.", min=1, max=PREVIEW_SIDE)
    data: bytes = described("width x height x 3 bytes.", min=3, max=CHUNK_BYTES)


@dataclass(frozen=True)
class Result:
    """The job is done."""

    event: int = described("Number of the event.", min=1)
    job: str = described("Which job.", max=64)
    layers: tuple[Layer, ...] = described("One a picture of the batch.", max=64)
    reach: int = described("How far beyond the selection alpha reaches, in pixels.", min=0)
    timings: dict[str, float] = described("Seconds by stage.", max=32)
    hints: tuple[Sentence, ...] = described("What the artist should know about the result.", (), max=MOST_HINTS)
    entries: tuple[str, ...] = described("Each layer's entry in the library; empty: it is not kept.", (), max=64)


@dataclass(frozen=True)
class Trained:
    """The end of a `train`: the LoRA is there. The list of LoRAs that has it came before, with `checkpoints`."""

    event: int = described("Number of the event.", min=1)
    job: str = described("Which job.", max=64)
    lora: str = described("The LoRA's name in the list: `<lora:NAME:1>`.", max=512)
    loss_before: float = described("Mean loss of the first tenth of the steps.", min=0.0)
    loss: float = described("Mean loss of the last tenth.", min=0.0)
    timings: dict[str, float] = described("Seconds by stage.", max=32)
    hints: tuple[Sentence, ...] = described("What the artist should know about it.", (), max=MOST_HINTS)


@dataclass(frozen=True)
class Failed:
    """The job ended without a result."""

    event: int = described("Number of the event.", min=1)
    job: str = described("Which job.", max=64)
    code: str = described("Error code.", max=64)
    message: Sentence = described("What happened, and what it means.")
    hint: Sentence = described("What to do.")


@dataclass(frozen=True)
class Cancelled:
    """The job was cancelled and has stopped."""

    event: int = described("Number of the event.", min=1)
    job: str = described("Which job.", max=64)


@dataclass(frozen=True)
class Error:
    """A message was refused. The connection ends after some codes; the table of errors says which."""

    code: str = described("Error code.", max=64)
    message: Sentence = described("What happened.")
    hint: Sentence = described("What to do.")
    about: str = described(
        "What it is about: a job's name, a request's number, a hash; empty: the last message.", "", max=64
    )


@dataclass(frozen=True)
class Closing:
    """The bridge is about to close the connection."""

    reason: Sentence = described("Why.")
