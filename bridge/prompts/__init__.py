"""What an artist writes: weights, choices, wildcards and LoRAs in a prompt's text. Text in, text out: it knows no model
and no file.

docs/prompts.md explains the syntax to artists; this room is where it is decided.
"""

from .choices import LONGEST, Options
from .elsewhere import about_embeddings
from .errors import PromptUnreadable
from .wording import Fragment, NamedLora, Text, Wording, read, read_text

__all__ = [
    "LONGEST",
    "Fragment",
    "NamedLora",
    "Options",
    "PromptUnreadable",
    "Text",
    "Wording",
    "about_embeddings",
    "read",
    "read_text",
]
