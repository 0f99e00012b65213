"""What a job gives: layers, and the recipe of each. Runs on Python 3.9."""

from __future__ import annotations

from dataclasses import dataclass

from .fields import described
from .job import JobSettings
from .parts import MAX_OFFSET, MAX_SIDE, Picture, Rect

__all__ = ["OPENPOSE_JOINTS", "EmbeddingUse", "Joint", "Layer", "LoraUse", "Person", "Recipe"]

OPENPOSE_JOINTS = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip
"""The joints of a :class:`Person`, in the order of OpenPose's model of 18."""


@dataclass(frozen=True)
class LoraUse:
    """A LoRA that a picture was painted with."""

    name: str = described("Its name.", max=512)
    strength: float = described("How much of it.", min=-10.0, max=10.0)
    hash: str = described("SHA-256 of its file.", max=64)


@dataclass(frozen=True)
class EmbeddingUse:
    """A textual inversion that a picture was painted with."""

    name: str = described("Its name.", max=512)
    hash: str = described("SHA-256 of its file, which may be a LoRA's.", max=64)


@dataclass(frozen=True)
class Recipe:
    """Everything that makes a layer reproducible: sent again with the same pictures, it gives the same layer."""

    settings: JobSettings = described("The settings of this one picture, resolved; `batch` is 1.")
    context: Rect = described("What the model saw.")
    checkpoint_hash: str = described("SHA-256 of the checkpoint's weights; empty: none took part.", max=64)
    model_width: int = described("Width at which the model painted; 0: nothing was denoised.", min=0, max=MAX_SIDE)
    model_height: int = described("Height at which the model painted; 0: nothing was denoised.", min=0, max=MAX_SIDE)
    batched: bool = described(
        "Denoised together with others on a GPU: alone it is within 1 of 255 of this, not identical."
    )
    device: str = described("Kind of device and precision.", max=64)
    versions: dict[str, str] = described("Versions of what took part.", max=16)
    chosen_prompt: str = described("The prompt with this seed's choices made; empty: it has none.", "", max=8192)
    chosen_negative_prompt: str = described("The same of the negative prompt.", "", max=8192)
    loras: tuple[LoraUse, ...] = described("LoRAs that the prompt named.", (), max=32)
    embeddings: tuple[EmbeddingUse, ...] = described("Textual inversions that the prompts named.", (), max=64)
    controlnet_hashes: tuple[str, ...] = described(
        "SHA-256 of the weights of what takes each condition, in the conditions' order; empty: the checkpoint itself.",
        (),
        max=16,
    )
    inpaint_controlnet_hash: str = described(
        "SHA-256 of the weights of the ControlNet that was shown what is painted on; empty: none was.", "", max=64
    )
    estimator_hashes: tuple[str, ...] = described("SHA-256 of the weights of each estimator of the map.", (), max=4)


@dataclass(frozen=True)
class Joint:
    """A joint of somebody's, by its name in OpenPose's model of 18; those that are not seen are left out."""

    name: str = described("Its name, such as `neck` or `left_wrist`, of their left.", max=16)
    x: float = described("Where it lies on the canvas, in pixels from its left edge.")
    y: float = described("In pixels from the canvas's upper edge.")


@dataclass(frozen=True)
class Person:
    """Somebody in the picture."""

    joints: tuple[Joint, ...] = described("What is seen of them.", max=18)


@dataclass(frozen=True)
class Layer:
    """One generated picture: RGBA with an offset. Alpha 0: the host's pixels are untouched.

    With kind `upscale` it lies on the canvas enlarged by the recipe's `scale`, where the canvas's pixel (x, y) has
    become the pixels from (scale * x, scale * y) up to, not including, (scale * (x + 1), scale * (y + 1)). Without a
    selection the layer is the whole context there: x = scale * context.x, y = scale * context.y, scale * context.width
    by scale * context.height pixels, transparent where the picture is. With one it is cut to what is selected, as that
    of every other kind is.
    """

    x: int = described("Left edge on the canvas.", min=-MAX_OFFSET, max=MAX_OFFSET)
    y: int = described("Top edge on the canvas.", min=-MAX_OFFSET, max=MAX_OFFSET)
    picture: Picture = described("The pixels; fetch them by hash before the acknowledgement frees them.")
    recipe: Recipe = described("How to make it again.")
    people: tuple[Person, ...] = described("With a map of the kind `pose`: who is in it.", (), max=64)
