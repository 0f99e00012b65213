"""What can be wrong with a prompt, in words for the artist."""

from ..errors import PaintbridgeError

__all__ = ["PromptUnreadable", "quoted"]

_LONGEST_QUOTE = 40


class PromptUnreadable(PaintbridgeError):
    """A prompt that cannot be meant as it is written; `hint` says what to write instead."""

    code = "prompt_unreadable"


def quoted(text: str) -> str:
    """The text, or its beginning, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 3] + "..."
