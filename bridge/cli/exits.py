"""How a command ends: the exit codes, and the one exception that carries an error to the terminal."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

from ..errors import PaintbridgeError
from ..models.errors import NO_ROOM

__all__ = ["CliError", "Exit", "exit_of", "unwritable"]


class Exit(IntEnum):
    """Exit codes of every command; ``docs/cli.md`` prints this table."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Exit:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    DONE = 0, "done"
    USAGE = 2, "the command line was wrong"
    NO_BRIDGE = 3, "no bridge: none answers and none could be started, or it refused the connection"
    REFUSED = 4, "refused: a file, a selection, a checkpoint or a value cannot be used"
    FAILED = 5, "the job failed"
    OUT_OF_MEMORY = 6, "out of memory"
    INTERRUPTED = 130, "interrupted; the job was cancelled at the bridge first, or the training saved"


class CliError(PaintbridgeError):
    """What ends a command."""

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        exit_code: Exit = Exit.REFUSED,
        code: str = "refused",
        **values: object,
    ) -> None:
        super().__init__(message, hint, **values)
        self.exit_code = exit_code
        self.code = code


def unwritable(path: Path, error: OSError) -> CliError:
    """The error for a file or folder that could not be written."""
    if error.errno in NO_ROOM:
        return CliError(f"{path} cannot be written: the disk is full.", "Make room, then try again.", code="disk_full")
    return CliError(f"{path} cannot be written ({error.strerror}).", "Correct its permissions.", code="not_writable")


_NO_BRIDGE = {
    "connection_lost",
    "hello_timeout",
    "no_bridge",
    "shutting_down",
    "too_many_connections",
    "unauthorized",
    "version_unsupported",
}
_FAILED = {
    "bad_frame",
    "cancelled",
    "frame_too_large",
    "internal",
    "job_exists",
    "job_unknown",
    "missing_field",
    "result_expired",
    "session_dropped",
    "session_unknown",
    "unacknowledged",
    "unexpected_message",
    "unknown_field",
    "unknown_type",
    "worker_crashed",
    "worker_silent",
    "wrong_type",
}


def exit_of(code: str) -> Exit:
    """The exit code for a code of the protocol or the client; whatever is no failure of the bridge is a refusal."""
    if code == "out_of_memory":
        return Exit.OUT_OF_MEMORY
    if code in _NO_BRIDGE:
        return Exit.NO_BRIDGE
    return Exit.FAILED if code in _FAILED else Exit.REFUSED
