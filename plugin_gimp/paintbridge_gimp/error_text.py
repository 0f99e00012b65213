"""Errors in words: one sentence that says what happened, and one that says what to do."""

from __future__ import annotations

from bridge.client import BadAddress, InsecureAddress
from bridge.client.words import lines_for

from .translation import _

__all__ = ["error_text"]


def error_text(error: Exception) -> str:
    """What GIMP shows. Never empty: GIMP would show an empty box."""
    lines = lines_for(error, _)
    if isinstance(error, (BadAddress, InsecureAddress)) or getattr(error, "code", "") == "unauthorized":
        lines.append(_("Address and token can be entered in Filters > Paintbridge > Check Connection."))
    return "\n".join(lines)
