"""What can be wrong with a checkpoint, in words for the artist."""

from typing import ClassVar

__all__ = ["CheckpointUnknown", "CheckpointUnreadable", "CheckpointUnsupported", "ModelsError"]


class ModelsError(Exception):
    """Base of this room's errors: `code` for programs, `str(error)` for people, `hint` says what to do."""

    code: ClassVar[str] = "checkpoint_unreadable"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class CheckpointUnreadable(ModelsError):
    """The file or folder is broken, truncated, incomplete, or holds pickled code."""

    code = "checkpoint_unreadable"


class CheckpointUnsupported(ModelsError):
    """The file or folder is sound, but of a kind that Paintbridge cannot paint with."""

    code = "checkpoint_unsupported"


class CheckpointUnknown(ModelsError):
    """No checkpoint of that name is installed."""

    code = "checkpoint_unknown"
