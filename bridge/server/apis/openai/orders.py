"""What the endpoints are asked, field by field."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ....models.names import find_name
from ....protocol.errors import BridgeError
from ....protocol.messages import CheckpointInfo, Extent
from ..fields import MOST_SIDE, Fields

__all__ = ["Form", "Order", "Pictures", "find_checkpoint", "native_size", "read_order", "read_pictures"]

_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_LEAST_SIDE = 64
_KINDS = ("png", "jpeg", "webp")
# Theirs, which clients may name without being asked: they stand for the bridge's default.
_ADDRESSED = "dall-e-"
_THEIRS = (_ADDRESSED, "gpt-image-", "chatgpt-image-")
_MOST_PARTIAL = 3
_MOST_IMAGES = 16
_WITHOUT_EFFECT: dict[str, Any] = {
    "background": "auto",
    "input_fidelity": None,
    "moderation": "auto",
    "output_compression": 100,
    "quality": "auto",
    "style": None,
}


class Form(StrEnum):
    """How pictures are answered. Both: a client that expects an address by default, and may take either."""

    BASE64 = "b64_json"
    ADDRESS = "url"
    BOTH = "both"


@dataclass(frozen=True)
class Order:
    """One request. ``checkpoint`` None: the bridge's default; ``size`` None: as it comes; ``stream``: in events, with
    so many ``partial_images`` before the end.
    """

    prompt: str
    checkpoint: str | None
    count: int
    size: Extent | None
    file_kind: str
    form: Form
    stream: bool
    partial_images: int
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class Pictures:
    """An edit's files, and the names of those that had no effect."""

    image: bytes
    mask: bytes | None
    ignored: tuple[str, ...] = ()


def read_order(values: Mapping[str, Any], checkpoints: Sequence[CheckpointInfo], *, prompted: bool = True) -> Order:
    """Read a request's fields, all but its pictures. ``prompted``: it needs a prompt; else it has none.

    Raises:
        FieldsRefused
        BridgeError: ``checkpoint_unknown``.
    """
    fields = Fields(values)
    prompt = fields.text("prompt") if prompted else ""
    if prompted and not prompt:
        fields.refuse("prompt", "it is missing.", "missing")
    name = fields.text("model")
    count = fields.integer("n", 1, 1, 10)
    size = _size(fields)
    stream = fields.flag("stream", False)
    partial_images = fields.integer("partial_images", 0, 0, _MOST_PARTIAL)
    form = _form(fields, name, stream)
    if partial_images and not stream:
        fields.ignore("partial_images")
    file_kind = fields.choice("output_format", "png", _KINDS)
    # It names a person to the service, and there is none.
    fields.raw("user")
    fields.without_effect(**_WITHOUT_EFFECT)
    fields.check()
    checkpoint = find_checkpoint(name, checkpoints)
    return Order(prompt, checkpoint, count, size, file_kind, form, stream, partial_images, fields.ignored())


def read_pictures(form: Mapping[str, Sequence[str | bytes]]) -> tuple[Pictures, dict[str, Any]]:
    """An edit's files, and its other fields.

    Raises:
        FieldsRefused
    """
    fields = Fields({})
    images = [*form.get("image", ()), *form.get("image[]", ())]
    masks = list(form.get("mask", ()))
    for name, files, most in (("image", images, _MOST_IMAGES), ("mask", masks, 1)):
        if not all(isinstance(file, bytes) for file in files):
            fields.refuse(name, "it must be a file.")
        elif len(files) > most:
            fields.refuse(name, f"there must be at most {most}.")
    if not images:
        fields.refuse("image", "it is missing.", "missing")
    fields.check()
    rest = {name: values[-1] for name, values in form.items() if name not in ("image", "image[]", "mask")}
    image, mask = images[0], masks[0] if masks else None
    assert isinstance(image, bytes)
    # The first is the one that a mask belongs to, there as well; nothing here takes the others as models.
    unheeded = tuple(f"image[{index}]" for index in range(1, len(images)))
    return Pictures(image, mask if isinstance(mask, bytes) else None, unheeded), rest


def find_checkpoint(name: str, checkpoints: Sequence[CheckpointInfo]) -> str | None:
    """A checkpoint by its name, or by one of theirs.

    Raises:
        BridgeError: ``checkpoint_unknown``.
    """
    if not name or name.startswith(_THEIRS):
        return None
    known = find_name(name, (entry.name for entry in checkpoints))
    if known is not None:
        return known
    names = ", ".join(entry.name for entry in checkpoints)
    raise BridgeError(
        "checkpoint_unknown", "The model {name} does not exist.", "There are: {shown}.", name=repr(name), shown=names
    )


def native_size(checkpoint: str | None, checkpoints: Sequence[CheckpointInfo]) -> Extent:
    """A square of the size that suits a checkpoint."""
    found = next((entry for entry in checkpoints if checkpoint in (None, entry.name)), None)
    side = math.isqrt(found.native_pixels) // 8 * 8 if found else 512
    return Extent(side, side)


def _form(fields: Fields, model: str, stream: bool) -> Form:
    default = Form.BOTH if model.startswith(_ADDRESSED) and not stream else Form.BASE64
    if fields.raw("response_format") is None:
        return default
    form = Form(fields.choice("response_format", Form.BASE64, (Form.BASE64, Form.ADDRESS)))
    if stream and form is Form.ADDRESS:
        fields.ignore("response_format")
    return form


def _size(fields: Fields) -> Extent | None:
    text = fields.text("size", "auto")
    if text == "auto":
        return None
    matched = _SIZE.fullmatch(text)
    if matched is None or not all(_LEAST_SIDE <= int(side) <= MOST_SIDE for side in matched.groups()):
        fields.refuse("size", f"it must be auto, or WIDTHxHEIGHT from {_LEAST_SIDE} to {MOST_SIDE}.")
        return None
    return Extent(int(matched[1]), int(matched[2]))
