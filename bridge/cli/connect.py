"""The bridge that a command talks to: the one that runs, or else one that is started for the command."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version

from ..client import Bridge, BridgeNotFound
from .hosted import hosted_bridge

__all__ = ["connected"]


@contextlib.contextmanager
def connected(say: Callable[[str], None]) -> Iterator[Bridge]:
    """A connection, closed at the end. ``say`` is told what is waited for.

    Raises:
        ClientError, BridgeError: the bridge that runs cannot be reached, or refuses.
        CliError: none runs, and none could be started.
    """
    client = f"paintbridge {version('paintbridge')}"
    say("Connecting")
    try:
        bridge = Bridge(client=client)
    except BridgeNotFound:
        if os.environ.get("PAINTBRIDGE_URL"):
            # A bridge was named: another one would not be what was asked for.
            raise
    else:
        with bridge:
            yield bridge
        return
    print("No bridge is running, so one is started for this command; `paintbridge serve` keeps one.", file=sys.stderr)
    say("Starting a bridge")
    with hosted_bridge() as address, Bridge(address, client=client) as bridge:
        yield bridge
