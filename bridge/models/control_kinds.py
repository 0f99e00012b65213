"""Kinds of guides by their names, and by what networks are called on disk. An unknown kind is an error everywhere."""

from collections.abc import Iterable

from ..control_kinds import CONTROL_KINDS, ControlKind
from .errors import ConditionUnsupported

__all__ = ["control_kind", "kind_of_words", "register_control_kind"]

# Those from outside, which nobody can ask for on the wire.
_REGISTERED: dict[str, ControlKind] = {}

# Words for pictures that no kind here means; what is painted on is no picture of a kind.
_OTHER_WORDS = frozenset(
    (
        "mlsd", "inpaint", "inpainting", "repaint", "shuffle", "qr", "qrcode", "brightness", "recolor", "ip",
        "densepose", "animal",
    )
)  # fmt: skip


def register_control_kind(kind: ControlKind) -> None:
    """Pictures of this kind guide the painter from now on."""
    _REGISTERED[kind.name] = kind


def control_kind(name: str) -> ControlKind:
    """The kind of that name. Raises ConditionUnsupported where there is none."""
    kinds = {**CONTROL_KINDS, **_REGISTERED}
    if name not in kinds:
        raise ConditionUnsupported(
            "Paintbridge cannot be guided by a {kind} yet.",
            hint="Leave the condition out.",
            kind=name.replace("_", " "),
        )
    return kinds[name]


def kind_of_words(words: Iterable[str]) -> str | None:
    """The kind that the first word with a meaning tells; None: pictures of no kind here, or no word tells."""
    meanings = {word: kind.name for kind in (*CONTROL_KINDS.values(), *_REGISTERED.values()) for word in kind.words}
    for word in (word.lower() for word in words):
        if word in meanings:
            return meanings[word]
        if word in _OTHER_WORDS:
            return None
    return None
