"""What crosses the wire: one frozen dataclass a message, ranges in ``field(metadata=...)``.

This module is the only source of the messages' shapes. The decoder (:mod:`.wire`), the JSON Schema,
``docs/protocol.md`` and the test vectors are all driven by these fields. Field types are ``bool int float str bytes``,
``Optional``, ``Tuple[X, ...]``, ``Dict[str, X]``, other dataclasses of this module, and ``Sentence``, which crosses the
wire as a :class:`.sentences.WireSentence`; nothing else.

Metadata keys: ``doc`` (one sentence), ``min`` and ``max`` (inclusive: of the number; of the length for str, bytes,
tuples and maps), ``choices`` (of a str). Rectangles are in canvas pixels. Runs on Python 3.9.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from typing import Any, Optional, Union

from ..errors import Sentence

__all__ = [
    "CHUNK_BYTES",
    "CLIENT_MESSAGES",
    "CONDITION_CHANNELS",
    "CONDITION_KINDS",
    "DEPTHS",
    "ENCODINGS",
    "JOB_KINDS",
    "MODES",
    "MOST_HINTS",
    "PREVIEW_SIDE",
    "PROTOCOL_VERSION",
    "SCALES",
    "SERVER_MESSAGES",
    "STAGES",
    "STRENGTHS",
    "Ack",
    "Cancel",
    "Cancelled",
    "CheckpointInfo",
    "Checkpoints",
    "ClientMessage",
    "Closing",
    "Condition",
    "ConditionUse",
    "ContextChoice",
    "Device",
    "DeviceInfo",
    "Error",
    "Extent",
    "Failed",
    "Get",
    "Hello",
    "JobEvent",
    "JobOrder",
    "Layer",
    "Lesson",
    "Limits",
    "LoraInfo",
    "LoraUse",
    "Message",
    "Offer",
    "Picture",
    "Plan",
    "Planned",
    "Preview",
    "Progress",
    "Pull",
    "Pulled",
    "Pulling",
    "Put",
    "Queued",
    "Recipe",
    "Recommended",
    "Rect",
    "Result",
    "ResultFormat",
    "Resume",
    "Resumed",
    "ServerMessage",
    "Started",
    "Stop",
    "Stored",
    "Submit",
    "Train",
    "Trained",
    "Unpulled",
    "Wanted",
    "Welcome",
]

PROTOCOL_VERSION = 1

CHUNK_BYTES = 1 << 20
"""Most bytes of one ``put``; between two of them control messages pass."""

PREVIEW_SIDE = 1024
"""Most pixels a side of a ``preview``."""

MOST_HINTS = 16
"""Most hints of a ``result`` or ``trained``."""

JOB_KINDS = ("fill", "refine", "generate", "upscale")
MODES: dict[str, tuple[str, ...]] = {
    "fill": ("auto", "fill", "expand", "add", "remove", "background"),
    "refine": ("auto", "refine"),
    "generate": ("auto", "generate"),
    "upscale": ("auto", "upscale"),
}
"""The modes of each kind of job. Where there is but one, `auto` comes to it, and recipes name it."""
SCALES = (2, 4)
"""How many times an `upscale` enlarges."""
STRENGTHS = {"upscale": 0.3}
"""The strength that suits a kind of job; 1 where it is not named."""
DEPTHS = ("u8", "u16", "f16", "f32")
ENCODINGS = ("raw", "png", "webp")
STAGES = ("load", "infill", "encode", "denoise", "decode", "compose", "learn")
CONDITION_KINDS = ("label_map", "scribble", "reference")
CONDITION_CHANNELS = {"label_map": (3, 4), "scribble": (1, 3, 4), "reference": (3, 4)}
"""How many channels the picture of each kind of condition may have."""

_MAX_SIDE = 1 << 20
_MAX_OFFSET = 1 << 24
_MAX_SEED = (1 << 64) - 1
_ALL_MODES = tuple(dict.fromkeys(mode for modes in MODES.values() for mode in modes))


def _f(doc: str, default: Any = MISSING, **limits: Any) -> Any:
    """A field with its documentation and its range."""
    return field(default=default, metadata={"doc": doc, **limits})


def _hash_field(doc: str) -> Any:
    return _f(doc, min=64, max=64)


# ---------------------------------------------------------------- parts


@dataclass(frozen=True)
class Extent:
    """A size in canvas pixels."""

    width: int = _f("Pixels across.", min=1, max=_MAX_SIDE)
    height: int = _f("Pixels down.", min=1, max=_MAX_SIDE)


@dataclass(frozen=True)
class Rect:
    """A rectangle of the canvas. It may lie partly outside."""

    x: int = _f("Left edge.", min=-_MAX_OFFSET, max=_MAX_OFFSET)
    y: int = _f("Top edge.", min=-_MAX_OFFSET, max=_MAX_OFFSET)
    width: int = _f("Pixels across.", min=1, max=_MAX_SIDE)
    height: int = _f("Pixels down.", min=1, max=_MAX_SIDE)


@dataclass(frozen=True)
class Picture:
    """A picture, named by the content hash of the bytes that travel.

    Colour is sRGB-encoded with straight alpha; one channel is linear coverage (a mask). ``raw`` pixels are rows from
    top to bottom without padding, channels interleaved, little endian. ``png`` and ``webp`` (lossless) exist for
    clients on another machine.
    """

    hash: str = _hash_field("SHA-256 of the bytes, lower-case hexadecimal.")
    byte_count: int = _f("How many bytes travel.", min=1, max=1 << 40)
    width: int = _f("Pixels across.", min=1, max=_MAX_SIDE)
    height: int = _f("Pixels down.", min=1, max=_MAX_SIDE)
    channels: int = _f("1: mask, 3: RGB, 4: RGBA.", min=1, max=4)
    depth: str = _f("Type of one channel value.", "u8", choices=DEPTHS)
    encoding: str = _f("How the pixels are packed.", "raw", choices=ENCODINGS)


@dataclass(frozen=True)
class Condition:
    """Guidance by another picture. The welcome says which kinds each checkpoint takes.

    A `scribble` has 1, 3 or 4 channels. One channel is lines as coverage. Of four, where any pixel is transparent, the
    alpha is the lines, whatever their colour; otherwise lines are dark on a light ground, or light on a dark one. A
    `label_map` has 3 or 4 channels: areas in the colours of ADE20K's things (docs/conditions.md); what is transparent
    means nothing. A `reference` is for later, and is not taken yet.
    """

    kind: str = _f("What the picture says.", choices=CONDITION_KINDS)
    picture: Picture = _f("The picture, of the context's size.")
    mask: Optional[Picture] = _f("Where it counts, and how much, one channel; none: everywhere.", None)
    strength: float = _f("Its weight; 0: it does not count.", 1.0, min=0.0, max=2.0)
    start: float = _f("It counts in steps that begin at this share of the denoising or later.", 0.0, min=0.0, max=1.0)
    end: float = _f("It counts in steps that end at this share of the denoising or before.", 1.0, min=0.0, max=1.0)
    controlnet: Optional[str] = _f("Which ControlNet hears it; none: the bridge's choice for the kind.", None, max=256)


@dataclass(frozen=True)
class ConditionUse:
    """A condition that a picture was painted with."""

    kind: str = _f("What the picture says.", choices=CONDITION_KINDS)
    picture_hash: str = _hash_field("The picture, by its hash.")
    strength: float = _f("Its weight.", min=0.0, max=2.0)
    start: float = _f("From which share of the denoising on.", min=0.0, max=1.0)
    end: float = _f("Up to which share of the denoising.", min=0.0, max=1.0)
    controlnet: str = _f("Name of the ControlNet that heard it.", max=256)
    controlnet_hash: str = _f("SHA-256 of its weights.", max=64)
    mask_hash: Optional[str] = _f("Where it counted, by the mask's hash; none: everywhere.", None, min=64, max=64)


@dataclass(frozen=True)
class ContextChoice:
    """How much of the canvas the model gets to see."""

    kind: str = _f("How the context is chosen.", "auto", choices=("auto", "selection", "canvas", "rect"))
    rect: Optional[Rect] = _f("The rectangle, with kind rect only.", None)


@dataclass(frozen=True)
class ResultFormat:
    """How the layers are wanted."""

    depth: str = _f("Type of one channel value.", "u8", choices=DEPTHS)
    encoding: str = _f("How the pixels are packed; png takes u8 and u16, webp u8 only.", "raw", choices=ENCODINGS)


@dataclass(frozen=True)
class LoraUse:
    """A LoRA that a picture was painted with."""

    name: str = _f("Its name.", max=512)
    strength: float = _f("How much of it.", min=-10.0, max=10.0)
    hash: str = _f("SHA-256 of its file.", max=64)


@dataclass(frozen=True)
class Recipe:
    """Everything that makes a layer reproducible: sent again with the same pictures, it gives the same layer."""

    kind: str = _f("Job kind.", choices=JOB_KINDS)
    mode: str = _f("The mode that was used.", max=32)
    prompt: str = _f("Prompt, as it was written.", max=8192)
    negative_prompt: str = _f("Negative prompt, as it was written.", max=8192)
    strength: float = _f("Strength.", min=0.0, max=1.0)
    seed: int = _f("Seed of this picture.", min=0, max=_MAX_SEED)
    steps: int = _f("Denoising steps; 0: nothing was denoised.", min=0, max=1000)
    guidance: float = _f("Guidance scale.", min=0.0, max=100.0)
    sampler: str = _f("Sampler.", max=64)
    checkpoint: str = _f("Name of the checkpoint.", max=256)
    checkpoint_hash: str = _f("SHA-256 of its weights.", max=64)
    grow: float = _f("Pixels that the selection was grown by.", min=0.0, max=4096.0)
    feather: float = _f("Pixels of feather.", min=0.0, max=4096.0)
    strict: bool = _f("Whether alpha was kept inside the selection.")
    context: Rect = _f("What the model saw.")
    model_width: int = _f("Width at which the model painted.", min=0, max=_MAX_SIDE)
    model_height: int = _f("Height at which the model painted.", min=0, max=_MAX_SIDE)
    batched: bool = _f("Denoised together with others on a GPU: alone it is within 1 of 255 of this, not identical.")
    device: str = _f("Kind of device and precision.", max=64)
    versions: dict[str, str] = _f("Versions of what took part.", max=16)
    chosen_prompt: str = _f("The prompt with this seed's choices made; empty: it has none.", "", max=8192)
    chosen_negative_prompt: str = _f("The same of the negative prompt.", "", max=8192)
    loras: tuple[LoraUse, ...] = _f("LoRAs that the prompt named.", (), max=32)
    scale: int = _f("Times that the context was enlarged; 1: not.", 1, min=1, max=4)
    conditions: tuple[ConditionUse, ...] = _f("What guided it, each picture by its hash.", (), max=16)


@dataclass(frozen=True)
class Layer:
    """One generated picture: RGBA with an offset. Alpha 0: the host's pixels are untouched.

    With kind `upscale` it lies on the canvas enlarged by the recipe's `scale`, where the canvas's pixel (x, y) has
    become the pixels from (scale * x, scale * y) up to, not including, (scale * (x + 1), scale * (y + 1)). Without a
    selection the layer is the whole context there: x = scale * context.x, y = scale * context.y, scale * context.width
    by scale * context.height pixels, transparent where the picture is. With one it is cut to what is selected, as that
    of every other kind is.
    """

    x: int = _f("Left edge on the canvas.", min=-_MAX_OFFSET, max=_MAX_OFFSET)
    y: int = _f("Top edge on the canvas.", min=-_MAX_OFFSET, max=_MAX_OFFSET)
    picture: Picture = _f("The pixels; fetch them by hash before the acknowledgement frees them.")
    recipe: Recipe = _f("How to make it again.")


@dataclass(frozen=True)
class Limits:
    """What the bridge accepts."""

    frame_bytes: int = _f("Most bytes of one frame.", min=1)
    picture_pixels: int = _f("Most pixels of one picture.", min=1)
    upload_bytes: int = _f("Most bytes of pictures that a session may hold.", min=1)
    queued_jobs: int = _f("Most jobs of one session that may wait.", min=1)
    batch: int = _f("Most pictures of one job.", min=1)
    resume_seconds: float = _f("How long a session outlives its connection.", min=0.0)


@dataclass(frozen=True)
class CheckpointInfo:
    """A checkpoint that the bridge can use."""

    name: str = _f("Its name; goes into submit.", max=256)
    family: str = _f("What it shares an architecture with.", max=32)
    inpaint: bool = _f("Made for filling (9 input channels).")
    native_pixels: int = _f("Pixels that it paints at once.", min=1)
    default_steps: int = _f("Steps that suit it.", min=1, max=1000)
    default_guidance: float = _f("Guidance that suits it.", min=0.0, max=100.0)
    default_sampler: str = _f("Sampler that suits it.", max=64)
    demo: bool = _f("A small checkpoint for trying out; names what it knows.")
    known_names: tuple[str, ...] = _f("Things that a demo checkpoint knows by name.", (), max=4096)
    conditions: tuple[str, ...] = _f("Kinds of conditions that it takes.", (), max=32)


@dataclass(frozen=True)
class Recommended:
    """A checkpoint on the Hugging Face hub that is worth fetching. The bridge fetches these and no others."""

    name: str = _f("Its name on the hub, owner/name; goes into `pull`.", max=64)
    family: str = _f("What it shares an architecture with.", max=32)
    inpaint: bool = _f("Made for filling (9 input channels).")
    good_at: str = _f("What it is good at, in words for the artist.", max=256)
    licence: str = _f("Its licence, as the hub names it.", max=64)
    download_bytes: int = _f("Bytes to fetch, about.", min=1)
    memory_bytes: int = _f("Memory of a graphics card that it wants, about; without one, twice that.", min=1)
    checkpoint: Optional[str] = _f("Its name among the checkpoints; none: it is not here.", None, max=256)


@dataclass(frozen=True)
class LoraInfo:
    """A LoRA that prompts can name: `<lora:NAME:0.8>`."""

    name: str = _f("Its name.", max=512)
    family: str = _f("Family of the checkpoints that it was made for.", max=32)
    trigger_words: tuple[str, ...] = _f("Words for the prompt that call it up, if its trainer says.", (), max=16)


@dataclass(frozen=True)
class DeviceInfo:
    """Where the model runs."""

    kind: str = _f("cpu, cuda, rocm, xpu or mps.", max=16)
    name: str = _f("The device's own name.", max=256)
    precision: str = _f("Number type in which the model runs.", max=16)
    memory_bytes: int = _f("Memory of the device; 0: unknown.", min=0)


# ---------------------------------------------------------------- client to server


@dataclass(frozen=True)
class Hello:
    """First message of a connection."""

    version: int = _f("Protocol version that the client speaks.", min=1, max=1 << 16)
    client: str = _f("Name and version of the client, for the log.", max=128)
    token: str = _f("The bridge's token.", max=256)


@dataclass(frozen=True)
class Resume:
    """Take up an earlier session after a lost connection, in place of the one that `welcome` opened."""

    session: str = _f("The earlier session's id.", max=64)
    last_event: int = _f("Number of the last event that arrived; 0: none.", min=0)


@dataclass(frozen=True)
class Plan:
    """Ask for the context rectangle of a job. Moves no pixels."""

    request: int = _f("Number that the answer repeats.", min=0)
    canvas: Extent = _f("Size of the canvas.")
    selection: Optional[Rect] = _f("Bounds of the selection; none: the whole canvas.", None)
    kind: str = _f("Job kind.", "fill", choices=JOB_KINDS)
    mode: str = _f("Mode of that kind.", "auto", choices=_ALL_MODES)
    context: ContextChoice = _f("How much the model gets to see.", ContextChoice())
    grow: Optional[float] = _f("Pixels to grow the selection by; none: the bridge's choice.", None, min=0.0, max=4096.0)
    feather: Optional[float] = _f("Pixels of feather; none: the bridge's choice.", None, min=0.0, max=4096.0)
    checkpoint: Optional[str] = _f("Checkpoint; none: the bridge's default.", None, max=256)
    scale: int = _f(
        "Times that the context is enlarged: 2 or 4 with `upscale`, 1 with any other kind.", 1, min=1, max=4
    )


@dataclass(frozen=True)
class Offer:
    """Name the pictures that a job will need, before moving any."""

    pictures: tuple[Picture, ...] = _f("What will be sent if it is wanted.", min=1, max=64)


@dataclass(frozen=True)
class Put:
    """A part of a picture's bytes. Parts of one picture come in order."""

    hash: str = _hash_field("Which picture.")
    offset: int = _f("Where this part begins.", min=0)
    data: bytes = _f("The part.", min=1, max=CHUNK_BYTES)


@dataclass(frozen=True)
class Get:
    """Ask for a part of a picture; a `put` answers."""

    hash: str = _hash_field("Which picture.")
    offset: int = _f("Where the part begins.", 0, min=0)
    length: int = _f("How many bytes at most.", CHUNK_BYTES, min=1, max=CHUNK_BYTES)


@dataclass(frozen=True)
class Submit:
    """Ask for pictures. Every picture that it names must have been `stored`, or be held already."""

    job: str = _f("The client's own name for the job, unique within the session.", min=1, max=64)
    kind: str = _f("Job kind.", choices=JOB_KINDS)
    canvas: Extent = _f("Size of the canvas.")
    context: Rect = _f("The rectangle that `planned` gave.")
    mode: str = _f("Mode of that kind.", "auto", choices=_ALL_MODES)
    picture: Optional[Picture] = _f("The context's pixels, visible layers merged; may be left out by `generate`.", None)
    selection: Optional[Picture] = _f(
        "Coverage over the context, one channel; none: all of it. Less than 1/128 counts as 0, more than 127/128 as 1.",
        None,
    )
    prompt: str = _f("What is wanted; docs/prompts.md tells of weights, choices, wildcards and LoRAs.", "", max=8192)
    negative_prompt: str = _f("What is not wanted.", "", max=8192)
    strength: Optional[float] = _f(
        "1: repaint freely; less: keep more of what is there. None: what suits the kind, which is "
        f"{STRENGTHS['upscale']:g} with `upscale` and 1 with any other.",
        None,
        min=0.01,
        max=1.0,
    )
    seed: Optional[int] = _f(
        "Seed of the first picture; the others count up, and from the largest on to 0. None: the bridge draws one.",
        None,
        min=0,
        max=_MAX_SEED,
    )
    batch: int = _f("How many pictures.", 1, min=1, max=64)
    steps: Optional[int] = _f("Denoising steps; none: what suits the checkpoint.", None, min=1, max=1000)
    guidance: Optional[float] = _f("Guidance scale; none: what suits the checkpoint.", None, min=0.0, max=100.0)
    sampler: Optional[str] = _f("Sampler; none: what suits the checkpoint.", None, max=64)
    checkpoint: Optional[str] = _f("Checkpoint; none: the bridge's default.", None, max=256)
    grow: Optional[float] = _f("As in `plan`.", None, min=0.0, max=4096.0)
    feather: Optional[float] = _f("As in `plan`.", None, min=0.0, max=4096.0)
    strict: bool = _f("Keep alpha at 0 wherever the selection is 0.", False)
    scale: int = _f("As in `plan`.", 1, min=1, max=4)
    conditions: tuple[Condition, ...] = _f("Guidance by other pictures.", (), max=16)
    result: ResultFormat = _f("How the layers are wanted.", ResultFormat())
    previews: bool = _f("Send previews.", True)
    on_disconnect: str = _f("What becomes of the job when the connection is lost.", "keep", choices=("cancel", "keep"))


@dataclass(frozen=True)
class Lesson:
    """A picture to learn from. What is transparent in it is not learnt."""

    picture: Picture = _f("Its pixels, three or four channels, of any size.")
    caption: str = _f("What it shows; empty: the caption of all.", "", max=1024)


@dataclass(frozen=True)
class Train:
    """Teach a checkpoint a style: a job whose end is `trained`, a LoRA in the list of LoRAs. It waits its turn, and can
    be cancelled, as those of `submit`. Every picture that it names must have been `stored`, or be held already. The
    same sent again, after `cancelled` or a failure, goes on where it was, unless another one came in between.
    """

    job: str = _f("The client's own name for the job, as in `submit`.", min=1, max=64)
    name: str = _f("What the LoRA is to be called; no other may have that name.", min=1, max=64)
    lessons: tuple[Lesson, ...] = _f("What it is learnt from; 10 to 50 pictures do best.", min=1, max=64)
    caption: str = _f("What the pictures are, in the words that will call the style up.", "", max=1024)
    checkpoint: Optional[str] = _f("What is taught; none: the bridge's default.", None, max=256)
    steps: int = _f("How long.", 1000, min=1, max=100_000)
    rank: int = _f("How much can be learnt.", 16, min=1, max=256)
    alpha: Optional[float] = _f("Over the rank: how strongly it counts; none: the rank.", None, min=0.01, max=1024.0)
    resolution: Optional[int] = _f(
        "Edge of a square of as many pixels as it learns at; none: the checkpoint's own.", None, min=64, max=2048
    )
    learning_rate: float = _f("How fast; too fast burns.", 1e-4, min=1e-7, max=1.0)
    batch: int = _f("Pictures in a step.", 1, min=1, max=64)
    seed: int = _f("The same seed teaches the same.", 0, min=0, max=(1 << 32) - 1)
    on_disconnect: str = _f("What becomes of the job when the connection is lost.", "keep", choices=("cancel", "keep"))


@dataclass(frozen=True)
class Cancel:
    """Stop one job, waiting or running."""

    job: str = _f("Which job.", min=1, max=64)


@dataclass(frozen=True)
class Ack:
    """Events up to this number have arrived, their pictures fetched: the bridge may forget them."""

    event: int = _f("Number of the last event done with.", min=1)


@dataclass(frozen=True)
class Pull:
    """Fetch a recommended checkpoint. What an earlier pull has brought is not fetched again. One is fetched at a time,
    for all clients together; it goes on when they disconnect.
    """

    name: str = _f("Its name in the list of those recommended.", max=64)


@dataclass(frozen=True)
class Stop:
    """Stop the pull of a checkpoint, for all clients. What has come is kept, for a later `pull`."""

    name: str = _f("The checkpoint's name, as in `pull`.", max=64)


# ---------------------------------------------------------------- server to client


@dataclass(frozen=True)
class Welcome:
    """Answer to `hello`: a fresh session."""

    version: int = _f("Protocol version that is spoken.", min=1)
    bridge: str = _f("Version of the bridge.", max=64)
    session: str = _f("Id of the session, for `resume`.", max=64)
    limits: Limits = _f("What the bridge accepts.")
    checkpoints: tuple[CheckpointInfo, ...] = _f("The default one first.", max=4096)
    samplers: tuple[str, ...] = _f("Samplers by their usual names.", max=256)
    device: Optional[DeviceInfo] = _f("Where the model runs; none: not known yet, a `device` follows.", None)
    recommended: tuple[Recommended, ...] = _f("Checkpoints that are worth fetching.", (), max=256)
    loras: tuple[LoraInfo, ...] = _f("LoRAs that prompts can name.", (), max=4096)


@dataclass(frozen=True)
class Device:
    """Where the model runs, once known. Unnumbered."""

    device: DeviceInfo = _f("The device.")


@dataclass(frozen=True)
class Checkpoints:
    """The lists of the welcome have changed: these take their place. Unnumbered, to every client."""

    checkpoints: tuple[CheckpointInfo, ...] = _f("The default one first.", max=4096)
    recommended: tuple[Recommended, ...] = _f("Checkpoints that are worth fetching.", max=256)
    loras: tuple[LoraInfo, ...] = _f("LoRAs that prompts can name.", (), max=4096)


@dataclass(frozen=True)
class Pulling:
    """How far a pull is. Unnumbered, to every client, also to one that connects meanwhile; the latest counts."""

    name: str = _f("The checkpoint's name, as in `pull`.", max=64)
    done: int = _f("Bytes that are here.", min=0)
    total: int = _f("Bytes of all files together; 0: the hub is still being asked.", min=0)


@dataclass(frozen=True)
class Pulled:
    """The checkpoint is here, whole and checked; `checkpoints` came before. Unnumbered, to every client; or the answer
    to a `pull` of what is here already.
    """

    name: str = _f("The checkpoint's name, as in `pull`.", max=64)
    checkpoint: str = _f("Its name among the checkpoints.", max=256)


@dataclass(frozen=True)
class Unpulled:
    """The pull has ended without the checkpoint. Unnumbered, to every client."""

    name: str = _f("The checkpoint's name, as in `pull`.", max=64)
    code: str = _f("Error code; `pull_stopped` after `stop`.", max=64)
    message: Sentence = _f("What happened.")
    hint: Sentence = _f("What to do.")


@dataclass(frozen=True)
class Resumed:
    """Answer to `resume`: the missed events follow, and then the session goes on."""

    session: str = _f("Id of the session.", max=64)
    replayed: int = _f("How many events follow.", min=0)


@dataclass(frozen=True)
class Planned:
    """Answer to `plan`."""

    request: int = _f("The request's number.", min=0)
    context: Rect = _f("Read these pixels, and name this rectangle in `submit`.")
    mode: str = _f("What auto comes to.", max=32)
    grow: float = _f("Pixels that the selection will be grown by.", min=0.0)
    feather: float = _f("Pixels of feather.", min=0.0)
    reach: int = _f("How far beyond the selection alpha can reach, in pixels.", min=0)
    model_width: int = _f("Width at which the model will paint.", min=1)
    model_height: int = _f("Height at which the model will paint.", min=1)


@dataclass(frozen=True)
class Wanted:
    """Answer to `offer`: put these."""

    hashes: tuple[str, ...] = _f("What the bridge lacks.", max=64)


@dataclass(frozen=True)
class Stored:
    """A picture has arrived whole, and its hash is right."""

    hash: str = _hash_field("Which picture.")


@dataclass(frozen=True)
class Queued:
    """The job waits. Sent again when its place changes."""

    event: int = _f("Number of the event.", min=1)
    job: str = _f("Which job.", max=64)
    position: int = _f("Jobs before it.", min=0)


@dataclass(frozen=True)
class Started:
    """The job runs."""

    event: int = _f("Number of the event.", min=1)
    job: str = _f("Which job.", max=64)


@dataclass(frozen=True)
class Progress:
    """How far the job is."""

    event: int = _f("Number of the event.", min=1)
    job: str = _f("Which job.", max=64)
    stage: str = _f("What is being done.", choices=STAGES)
    step: int = _f("Steps of this stage that are done.", min=0)
    steps: int = _f("Steps of this stage.", min=1)
    seconds_left: Optional[float] = _f("Estimate for the whole job; none: not known yet.", None, min=0.0)


@dataclass(frozen=True)
class Preview:
    """What the picture looks like so far: RGB, u8, raw, to be stretched over the context. Unnumbered; the latest
    counts.
    """

    job: str = _f("Which job.", max=64)
    step: int = _f("After which step.", min=0)
    width: int = _f("Pixels across.", min=1, max=PREVIEW_SIDE)
    height: int = _f("Pixels down.", min=1, max=PREVIEW_SIDE)
    data: bytes = _f("width x height x 3 bytes.", min=3, max=CHUNK_BYTES)


@dataclass(frozen=True)
class Result:
    """The job is done."""

    event: int = _f("Number of the event.", min=1)
    job: str = _f("Which job.", max=64)
    layers: tuple[Layer, ...] = _f("One a picture of the batch.", max=64)
    reach: int = _f("How far beyond the selection alpha reaches, in pixels.", min=0)
    timings: dict[str, float] = _f("Seconds by stage.", max=32)
    hints: tuple[Sentence, ...] = _f("What the artist should know about the result.", (), max=MOST_HINTS)


@dataclass(frozen=True)
class Trained:
    """The end of a `train`: the LoRA is there. The list of LoRAs that has it came before, with `checkpoints`."""

    event: int = _f("Number of the event.", min=1)
    job: str = _f("Which job.", max=64)
    lora: str = _f("The LoRA's name in the list: `<lora:NAME:1>`.", max=512)
    loss_before: float = _f("Mean loss of the first tenth of the steps.", min=0.0)
    loss: float = _f("Mean loss of the last tenth.", min=0.0)
    timings: dict[str, float] = _f("Seconds by stage.", max=32)
    hints: tuple[Sentence, ...] = _f("What the artist should know about it.", (), max=MOST_HINTS)


@dataclass(frozen=True)
class Failed:
    """The job ended without a result."""

    event: int = _f("Number of the event.", min=1)
    job: str = _f("Which job.", max=64)
    code: str = _f("Error code.", max=64)
    message: Sentence = _f("What happened, and what it means.")
    hint: Sentence = _f("What to do.")


@dataclass(frozen=True)
class Cancelled:
    """The job was cancelled and has stopped."""

    event: int = _f("Number of the event.", min=1)
    job: str = _f("Which job.", max=64)


@dataclass(frozen=True)
class Error:
    """A message was refused. The connection ends after some codes; the table of errors says which."""

    code: str = _f("Error code.", max=64)
    message: Sentence = _f("What happened.")
    hint: Sentence = _f("What to do.")
    about: str = _f("What it is about: a job's name, a request's number, a hash; empty: the last message.", "", max=64)


@dataclass(frozen=True)
class Closing:
    """The bridge is about to close the connection."""

    reason: Sentence = _f("Why.")


ClientMessage = Union[Hello, Resume, Plan, Offer, Put, Get, Submit, Train, Cancel, Ack, Pull, Stop]
JobEvent = Union[Queued, Started, Progress, Result, Trained, Failed, Cancelled]
JobOrder = Union[Submit, Train]
ServerMessage = Union[
    Welcome,
    Device,
    Checkpoints,
    Pulling,
    Pulled,
    Unpulled,
    Resumed,
    Planned,
    Wanted,
    Stored,
    Put,
    Preview,
    Error,
    Closing,
    Queued,
    Started,
    Progress,
    Result,
    Trained,
    Failed,
    Cancelled,
]
Message = Union[ClientMessage, ServerMessage]


def _by_type(*classes: type[Any]) -> dict[str, type[Any]]:
    return {cls.__name__.lower(): cls for cls in classes}


CLIENT_MESSAGES: dict[str, type[Any]] = _by_type(
    Hello, Resume, Plan, Offer, Put, Get, Submit, Train, Cancel, Ack, Pull, Stop
)
"""What a client may send, by the value of ``type``."""

SERVER_MESSAGES: dict[str, type[Any]] = _by_type(
    Welcome,
    Device,
    Checkpoints,
    Pulling,
    Pulled,
    Unpulled,
    Resumed,
    Planned,
    Wanted,
    Stored,
    Put,
    Queued,
    Started,
    Progress,
    Preview,
    Result,
    Trained,
    Failed,
    Cancelled,
    Error,
    Closing,
)
"""What a server may send, by the value of ``type``."""
