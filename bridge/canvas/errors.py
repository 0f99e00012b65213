"""What can be wrong with an edit, in words for the artist: what happened, what it means, what to do.

Each `code` is one of the wire's (see docs/protocol.md). Standard library only.
"""

from ..errors import PaintbridgeError

__all__ = [
    "CanvasError",
    "ContextInvalid",
    "EmptySelection",
    "ModeUnsupported",
    "NothingKnown",
    "PictureMismatch",
    "PictureUnreadable",
    "ValueOutOfRange",
]


class CanvasError(PaintbridgeError):
    """Base of the errors of this room."""


class EmptySelection(CanvasError):
    """Nothing is selected on the canvas."""

    code = "empty_selection"


class NothingKnown(CanvasError):
    """All of the context is selected or transparent."""

    code = "nothing_known"


class ContextInvalid(CanvasError):
    """The context does not fit the canvas or the selection."""

    code = "bad_context"


class ModeUnsupported(CanvasError):
    """The kind of job does not have that mode."""

    code = "unsupported_mode"


class ValueOutOfRange(CanvasError):
    """A number lies outside its range."""

    code = "out_of_range"


class PictureMismatch(CanvasError):
    """Pixel data that does not match its description."""

    code = "picture_mismatch"


class PictureUnreadable(CanvasError):
    """Pixel data that is no picture."""

    code = "picture_unreadable"
