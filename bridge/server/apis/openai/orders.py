"""What the endpoints are asked, field by field."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....models.names import find_name
from ....protocol.errors import BridgeError
from ....protocol.messages import CheckpointInfo, Extent
from ..fields import Fields

__all__ = ["Order", "Pictures", "find_checkpoint", "native_size", "read_order", "read_pictures"]

_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_LEAST_SIDE, _MOST_SIDE = 64, 16384
_KINDS = ("png", "jpeg", "webp")
# Theirs, which clients may name without being asked: they stand for the bridge's default.
_THEIRS = ("dall-e-", "gpt-image-", "chatgpt-image-")
_WITHOUT_EFFECT: dict[str, Any] = {
    "background": "auto",
    "input_fidelity": None,
    "moderation": "auto",
    "output_compression": 100,
    "partial_images": 0,
    "quality": "auto",
    "style": None,
}


@dataclass(frozen=True)
class Order:
    """One request. ``checkpoint`` None: the bridge's default; ``size`` None: as it comes."""

    prompt: str
    checkpoint: str | None
    count: int
    size: Extent | None
    file_kind: str
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class Pictures:
    """An edit's files."""

    image: bytes
    mask: bytes | None


def read_order(values: Mapping[str, Any], checkpoints: Sequence[CheckpointInfo]) -> Order:
    """Read a request's fields, all but its pictures.

    Raises:
        FieldsRefused
        BridgeError: ``checkpoint_unknown``.
    """
    fields = Fields(values)
    prompt = fields.text("prompt")
    if not prompt:
        fields.refuse("prompt", "it is missing.", "missing")
    name = fields.text("model")
    count = fields.integer("n", 1, 1, 10)
    size = _size(fields)
    if fields.choice("response_format", "b64_json", ("b64_json", "url")) == "url":
        fields.refuse("response_format", "the bridge keeps no pictures to point at; ask for b64_json.")
    file_kind = fields.choice("output_format", "png", _KINDS)
    if fields.flag("stream", False):
        fields.refuse("stream", "the bridge answers in one piece; leave it out.")
    # It names a person to the service, and there is none.
    fields.raw("user")
    fields.without_effect(**_WITHOUT_EFFECT)
    fields.check()
    return Order(prompt, find_checkpoint(name, checkpoints), count, size, file_kind, fields.ignored())


def read_pictures(form: Mapping[str, Sequence[str | bytes]]) -> tuple[Pictures, dict[str, Any]]:
    """An edit's files, and its other fields.

    Raises:
        FieldsRefused
    """
    fields = Fields({})
    images = [*form.get("image", ()), *form.get("image[]", ())]
    masks = list(form.get("mask", ()))
    for name, files, most in (("image", images, 1), ("mask", masks, 1)):
        if not all(isinstance(file, bytes) for file in files):
            fields.refuse(name, "it must be a file.")
        elif len(files) > most:
            fields.refuse(name, "the bridge edits one picture a request.")
    if not images:
        fields.refuse("image", "it is missing.", "missing")
    fields.check()
    rest = {name: values[-1] for name, values in form.items() if name not in ("image", "image[]", "mask")}
    image, mask = images[0], masks[0] if masks else None
    assert isinstance(image, bytes)
    return Pictures(image, mask if isinstance(mask, bytes) else None), rest


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
    raise BridgeError("checkpoint_unknown", f"The model {name!r} does not exist.", f"There are: {names}.")


def native_size(checkpoint: str | None, checkpoints: Sequence[CheckpointInfo]) -> Extent:
    """A square of the size that suits a checkpoint."""
    found = next((entry for entry in checkpoints if checkpoint in (None, entry.name)), None)
    side = math.isqrt(found.native_pixels) // 8 * 8 if found else 512
    return Extent(side, side)


def _size(fields: Fields) -> Extent | None:
    text = fields.text("size", "auto")
    if text == "auto":
        return None
    matched = _SIZE.fullmatch(text)
    if matched is None or not all(_LEAST_SIDE <= int(side) <= _MOST_SIDE for side in matched.groups()):
        fields.refuse("size", f"it must be auto, or WIDTHxHEIGHT from {_LEAST_SIDE} to {_MOST_SIDE}.")
        return None
    return Extent(int(matched[1]), int(matched[2]))
