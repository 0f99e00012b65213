"""From nothing to a connection: where the bridge is, and what to do where there is none. Blocks: for threads."""

from __future__ import annotations

from typing import Optional

from bridge.client import BridgeNotFound, discover
from bridge.client.starting import can_start, start
from bridge.client.words import how_to_start

from .link import Link
from .settings import Settings
from .words import _

__all__ = ["connect", "start_and_connect", "startable"]


def connect(settings: Settings) -> Link:
    """Connect to the bridge that runs.

    Raises:
        BridgeNotFound: there is none; its hint has the exact commands that make one, on this system.
        BridgeError, ClientError: it refused, or its address is of no use.
    """
    try:
        return Link(discover(url=settings.address, token=settings.token))
    except BridgeNotFound as error:
        raise type(error)(error.message, how_to_start(error, _), error.start_command) from error


def start_and_connect(error: BridgeNotFound, settings: Settings) -> Link:
    """Start the bridge that an error misses, and connect.

    Raises:
        StartFailed, BridgeError, ClientError
    """
    start(error.start_command)
    return connect(settings)


def startable(error: Exception) -> Optional[BridgeNotFound]:
    """The error, if it says that a bridge is missing that could be started."""
    return error if isinstance(error, BridgeNotFound) and can_start(error.start_command) else None
