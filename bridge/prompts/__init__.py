"""What an artist writes: weights, choices and LoRAs in a prompt's text. Text in, text out: it knows no model.

docs/prompts.md explains the syntax to artists; this room is where it is decided.
"""

from .errors import PromptUnreadable
from .loras import drop_tags, take_tags
from .wording import Fragment, NamedLora, Text, Wording, read, read_text

__all__ = [
    "Fragment",
    "NamedLora",
    "PromptUnreadable",
    "Text",
    "Wording",
    "drop_tags",
    "read",
    "read_text",
    "take_tags",
]
