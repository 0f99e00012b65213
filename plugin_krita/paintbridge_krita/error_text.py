"""Errors in words: one sentence that says what happened, and one that says what to do."""

from __future__ import annotations

from bridge.client.words import lines_for

from .translation import _

__all__ = ["error_text"]


def error_text(error: Exception) -> str:
    """What the docker shows."""
    return "\n".join(lines_for(error, _))
