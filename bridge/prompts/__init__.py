"""What an artist writes: weights, choices, wildcards and LoRAs in a prompt's text. Text in, text out: it knows no model
and no file.

docs/prompts.md explains the syntax to artists; this room is where it is decided.
"""

from .choices import LONGEST, Options
from .embeddings import about_unknown_embeddings, named_embeddings, split_at_embeddings
from .errors import PromptUnreadable
from .layers import named_as
from .loras import LORA_TAGS, drop_tags, take_tags
from .parsed import Fragment, NamedLora, ParsedPrompt, Text, read, read_region, read_text

__all__ = [
    "LONGEST",
    "LORA_TAGS",
    "Fragment",
    "NamedLora",
    "Options",
    "ParsedPrompt",
    "PromptUnreadable",
    "Text",
    "about_unknown_embeddings",
    "drop_tags",
    "named_as",
    "named_embeddings",
    "read",
    "read_region",
    "read_text",
    "split_at_embeddings",
    "take_tags",
]
