"""How a job can end without pictures, in words for the artist."""

from ..errors import PaintbridgeError

__all__ = ["Cancelled", "OutOfMemory", "PainterError", "PictureMissing"]


class Cancelled(Exception):
    """Raised by `Hooks.check` when the job should end; passes through the painter."""


class PainterError(PaintbridgeError):
    """Base of this room's errors."""


class OutOfMemory(PainterError):
    """The device or the machine has no memory left for this job."""

    code = "out_of_memory"


class PictureMissing(PainterError):
    """The job's pictures are not there, or not of the context's size."""

    code = "picture_mismatch"
