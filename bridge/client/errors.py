"""What can go wrong on a client's own side. What the bridge itself refuses arrives as
:class:`~..protocol.errors.BridgeError`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import PaintbridgeError
from ..protocol.errors import CODES, BridgeError

__all__ = [
    "BadAddress",
    "BridgeClosed",
    "BridgeNotFound",
    "ClientError",
    "ConnectionLost",
    "InsecureAddress",
    "JobCancelled",
    "NotRunning",
    "Refused",
    "error_from_wire",
]


class ClientError(PaintbridgeError):
    """What all errors of a client's own side have in common."""

    code = "connection_lost"


class BridgeNotFound(ClientError):
    """There is no bridge to talk to. ``start_command`` is what starts one: a program and its arguments."""

    code = "no_bridge"

    def __init__(self, message: str, hint: str, start_command: Sequence[str], **values: object) -> None:
        super().__init__(message, hint, **values)
        self.start_command = tuple(start_command)


class NotRunning(BridgeNotFound):
    """An address is known, but nobody answers there."""


class BadAddress(ClientError):
    """The address, or the runtime file, cannot be read."""


class InsecureAddress(ClientError):
    """The address would send token and pictures over a network unencrypted."""


class ConnectionLost(ClientError):
    """The connection broke, and did not come back for as long as the bridge keeps a session."""


class BridgeClosed(ClientError):
    """This client was closed by its own host."""

    def __init__(self) -> None:
        super().__init__("The connection to the bridge was closed.", "Connect again.")


class Refused(ClientError):
    """What a plug-in itself refuses, before or instead of asking the bridge."""


class JobCancelled(ClientError):
    """The job was cancelled, and has no result."""

    code = "cancelled"

    def __init__(self, job: str) -> None:
        super().__init__("The job was cancelled.", "Send it again if that was a mistake.")
        self.job = job


def error_from_wire(code: str, message: str, hint: str) -> BridgeError:
    """The exception for a code that came over the wire. A code that this version does not know becomes ``internal``;
    the bridge's own words are kept either way.
    """
    return BridgeError(code if code in CODES else "internal", message, hint)
