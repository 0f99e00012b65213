"""What can be wrong with a prompt, in words for the artist."""

from typing import ClassVar

__all__ = ["PromptUnreadable", "quoted"]

_LONGEST_QUOTE = 40


class PromptUnreadable(Exception):
    """A prompt that cannot be meant as it is written: `str(error)` says why, `hint` what to write instead."""

    code: ClassVar[str] = "prompt_unreadable"

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def quoted(text: str) -> str:
    """The text, or its beginning, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 3] + "..."
