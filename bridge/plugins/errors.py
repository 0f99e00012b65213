"""What can keep a plug-in out of its host, in words for the artist."""

from __future__ import annotations

from ..errors import PaintbridgeError

__all__ = ["PluginError"]


class PluginError(PaintbridgeError):
    """A plug-in cannot be put there, or taken out again."""
