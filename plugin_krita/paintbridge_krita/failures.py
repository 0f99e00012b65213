"""Errors in words: one sentence that says what happened, and one that says what to do."""

from __future__ import annotations

import sys
import traceback

from bridge.client import ClientError
from bridge.protocol.errors import BridgeError

from .words import _

__all__ = ["Refused", "words_for"]


class Refused(Exception):
    """What the plug-in itself refuses. ``message`` and ``hint`` as those of the bridge's own errors."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def words_for(error: Exception) -> str:
    """What the docker shows."""
    if not isinstance(error, (Refused, BridgeError, ClientError)):
        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
        kind = f"{type(error).__name__}: {error}"
        return _("Something went wrong inside the Paintbridge plug-in ({error}).").format(error=kind)
    return "\n".join(filter(None, (_(error.message), _(error.hint))))
