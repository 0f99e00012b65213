"""What a client sends, one frozen dataclass a message. Runs on Python 3.9."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .fields import described, hash_field
from .job import ContextChoice, JobSettings, OnDisconnect, ResultFormat
from .parts import CHUNK_BYTES, Document, Extent, Picture, Rect

__all__ = [
    "Ack",
    "Cancel",
    "CaptionedImage",
    "Get",
    "Hello",
    "Offer",
    "Plan",
    "Pull",
    "Put",
    "Resume",
    "Stop",
    "Submit",
    "Train",
]


@dataclass(frozen=True)
class Hello:
    """First message of a connection."""

    version: int = described("Protocol version that the client speaks.", min=1, max=1 << 16)
    client: str = described("Name and version of the client, for the log.", max=128)
    token: str = described("The bridge's token.", max=256)


@dataclass(frozen=True)
class Resume:
    """Take up an earlier session after a lost connection, in place of the one that `welcome` opened."""

    session: str = described("The earlier session's id.", max=64)
    last_event: int = described("Number of the last event that arrived; 0: none.", min=0)


@dataclass(frozen=True)
class Plan:
    """Ask for the context rectangle of a job. Moves no pixels."""

    request: int = described("Number that the answer repeats.", min=0)
    canvas: Extent = described("Size of the canvas.")
    selection: Optional[Rect] = described("Bounds of the selection; none: the whole canvas.", None)
    context: ContextChoice = described("How much the model gets to see.", ContextChoice())
    settings: JobSettings = described("The job's settings; conditions may be left out.", JobSettings())


@dataclass(frozen=True)
class Offer:
    """Name the pictures that a job will need, before moving any."""

    pictures: tuple[Picture, ...] = described("What will be sent if it is wanted.", min=1, max=64)


@dataclass(frozen=True)
class Put:
    """A part of a picture's bytes. Parts of one picture come in order."""

    hash: str = hash_field("Which picture.")
    offset: int = described("Where this part begins.", min=0)
    data: bytes = described("The part.", min=1, max=CHUNK_BYTES)


@dataclass(frozen=True)
class Get:
    """Ask for a part of a picture; a `put` answers."""

    hash: str = hash_field("Which picture.")
    offset: int = described("Where the part begins.", 0, min=0)
    length: int = described("How many bytes at most.", CHUNK_BYTES, min=1, max=CHUNK_BYTES)


@dataclass(frozen=True)
class Submit:
    """Ask for pictures. Every picture that it names must have been `stored`, or be held already."""

    job: str = described("The client's own name for the job, unique within the session.", min=1, max=64)
    canvas: Extent = described("Size of the canvas.")
    context: Rect = described("The rectangle that `planned` gave.")
    settings: JobSettings = described("The job's settings.", JobSettings())
    picture: Optional[Picture] = described(
        "The context's pixels, visible layers merged; may be left out by `generate`.", None
    )
    selection: Optional[Picture] = described(
        "Coverage over the context, one channel; none: all of it. Less than 1/128 counts as 0, more than 127/128 as 1.",
        None,
    )
    result: ResultFormat = described("How the layers are wanted.", ResultFormat())
    on_disconnect: OnDisconnect = described("What becomes of the job when the connection is lost.", OnDisconnect.KEEP)
    document: Optional[Document] = described("The document that it is for; the library tells it with the result.", None)


@dataclass(frozen=True)
class CaptionedImage:
    """A picture to learn from. What is transparent in it is not learnt."""

    picture: Picture = described("Its pixels, three or four channels, of any size.")
    caption: str = described("What it shows; empty: the caption of all.", "", max=1024)


@dataclass(frozen=True)
class Train:
    """Train a LoRA of a style: a job whose end is `trained`, a LoRA in the list of LoRAs. It waits its turn, and can
    be cancelled, as those of `submit`. Every picture that it names must have been `stored`, or be held already. The
    same sent again, after `cancelled` or a failure, goes on where it was, unless another one came in between.
    """

    job: str = described("The client's own name for the job, as in `submit`.", min=1, max=64)
    name: str = described("What the LoRA is to be called; no other may have that name.", min=1, max=64)
    images: tuple[CaptionedImage, ...] = described("What it is trained on; 10 to 50 pictures do best.", min=1, max=64)
    caption: str = described("What the pictures are, in the words that will call the style up.", "", max=1024)
    checkpoint: Optional[str] = described("What it is trained for; none: the bridge's default.", None, max=256)
    steps: int = described("How long.", 1000, min=1, max=100_000)
    rank: int = described("How much can be learnt.", 16, min=1, max=256)
    alpha: Optional[float] = described(
        "Over the rank: how strongly it counts; none: the rank.", None, min=0.01, max=1024.0
    )
    resolution: Optional[int] = described(
        "Edge of a square of as many pixels as it learns at; none: the checkpoint's own.", None, min=64, max=2048
    )
    learning_rate: float = described("How fast; too fast burns.", 1e-4, min=1e-7, max=1.0)
    batch: int = described("Pictures in a step.", 1, min=1, max=64)
    seed: int = described("The same seed trains the same.", 0, min=0, max=(1 << 32) - 1)
    on_disconnect: OnDisconnect = described("What becomes of the job when the connection is lost.", OnDisconnect.KEEP)


@dataclass(frozen=True)
class Cancel:
    """Stop one job, waiting or running."""

    job: str = described("Which job.", min=1, max=64)


@dataclass(frozen=True)
class Ack:
    """Events up to this number have arrived, their pictures fetched: the bridge may forget them."""

    event: int = described("Number of the last event done with.", min=1)


@dataclass(frozen=True)
class Pull:
    """Fetch a recommended checkpoint. What an earlier pull has brought is not fetched again. One is fetched at a time,
    for all clients together; it goes on when they disconnect.
    """

    name: str = described("Its name in the list of those recommended.", max=64)


@dataclass(frozen=True)
class Stop:
    """Stop the pull of a checkpoint, for all clients. What has come is kept, for a later `pull`."""

    name: str = described("The checkpoint's name, as in `pull`.", max=64)
