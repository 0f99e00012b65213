"""The kinds of pictures that guide a model, a row each. An unknown kind is an error everywhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from .errors import ConditionUnsupported

__all__ = ["CONTROL_KINDS", "ControlKind", "PictureReading", "control_kind", "kind_of_words", "register_control_kind"]


class PictureReading(Enum):
    """How a guide's picture is read and resized (`bridge.canvas.guides`)."""

    DRAWN_LINES = "drawn_lines"
    """Lines, by alpha or by contrast; resized by area, so that thin ones stay."""

    LABEL_COLOURS = "label_colours"
    """Areas in the colours of things; resized to the nearest, since colours between two would mean a third."""


@dataclass(frozen=True)
class ControlKind:
    """What pictures of a kind mean.

    `channels` are those that a picture of it may have; `words` in a guide's name on disk tell that it was trained on
    such pictures; `union_number` is what networks for many kinds at once call it, `estimator` what makes such a picture
    of a photograph: None where there is none.
    """

    name: str
    title: str
    channels: tuple[int, ...]
    reading: PictureReading
    words: tuple[str, ...]
    union_number: int | None = None
    estimator: str | None = None


CONTROL_KINDS: dict[str, ControlKind] = {
    kind.name: kind
    for kind in (
        ControlKind("scribble", "scribble", (1, 3, 4), PictureReading.DRAWN_LINES, ("scribble", "sketch")),
        # The colours are ADE20K's.
        ControlKind("label_map", "label map", (3, 4), PictureReading.LABEL_COLOURS, ("seg", "segmentation", "ade")),
    )
}
"""The kinds by name."""

# Words for pictures that no kind here means yet.
_OTHER_WORDS = frozenset(
    (
        "canny", "softedge", "hed", "lineart", "mlsd", "depth", "normal", "normalbae", "openpose", "pose", "tile",
        "inpaint", "shuffle", "qr", "qrcode", "brightness", "blur", "recolor",
    )
)  # fmt: skip


def register_control_kind(kind: ControlKind) -> None:
    """Pictures of this kind guide from now on."""
    CONTROL_KINDS[kind.name] = kind


def control_kind(name: str) -> ControlKind:
    """The kind of that name. Raises ConditionUnsupported where there is none."""
    if name not in CONTROL_KINDS:
        raise ConditionUnsupported(
            "Paintbridge cannot be guided by a {kind} yet.",
            hint="Leave the condition out.",
            kind=name.replace("_", " "),
        )
    return CONTROL_KINDS[name]


def kind_of_words(words: Iterable[str]) -> str | None:
    """The kind that the first word with a meaning tells; None: pictures of no kind here, or no word tells."""
    meanings = {word: kind.name for kind in CONTROL_KINDS.values() for word in kind.words}
    for word in (word.lower() for word in words):
        if word in meanings:
            return meanings[word]
        if word in _OTHER_WORDS:
            return None
    return None
