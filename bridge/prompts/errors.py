"""What can be wrong with a prompt, in words for the artist."""

from typing import ClassVar

__all__ = ["PromptUnreadable"]


class PromptUnreadable(Exception):
    """A prompt that cannot be meant as it is written: `str(error)` says why, `hint` what to write instead."""

    code: ClassVar[str] = "prompt_unreadable"

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
