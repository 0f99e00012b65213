"""What can keep a plug-in out of its host, in words for the artist."""

from __future__ import annotations

__all__ = ["PluginError"]


class PluginError(Exception):
    """``message`` says what is amiss; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.message = message
        self.hint = hint
