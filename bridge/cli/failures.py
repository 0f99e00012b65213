"""The errors of the other rooms, in the command line's terms."""

from __future__ import annotations

from ..client.errors import ClientError
from ..models.errors import NO_ROOM
from ..protocol.errors import BridgeError
from ..server.errors import StartError
from .exits import CliError, Exit, exit_of

__all__ = ["as_cli_error"]


def as_cli_error(error: Exception) -> CliError | None:
    """The error in words for the terminal; None for one that nobody foresaw."""
    if isinstance(error, CliError):
        return error
    if isinstance(error, (BridgeError, ClientError, StartError)):
        return CliError(error.message, error.hint, exit_code=exit_of(error.code), code=error.code)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        where = f" ({error.filename})" if error.filename else ""
        return CliError(f"The disk is full{where}.", "Make room, then try again.", code="disk_full")
    if isinstance(error, MemoryError):
        return CliError(
            "The pictures did not fit into memory.",
            "Close other programs, or select a smaller area.",
            exit_code=Exit.OUT_OF_MEMORY,
            code="out_of_memory",
        )
    return None
