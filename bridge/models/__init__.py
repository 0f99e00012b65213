"""Which checkpoints and LoRAs there are, and what each is. Reads headers and small JSON files; imports no torch."""

from .card import Card
from .checkpoint import Checkpoint, inspect
from .errors import (
    CheckpointUnknown,
    CheckpointUnreadable,
    CheckpointUnsupported,
    LoraUnknown,
    LoraUnreadable,
    LoraUnsupported,
    ModelsError,
)
from .family import FAMILIES, Family
from .lora import Lora, inspect_lora
from .loras import LoraRegistry
from .recommended import RECOMMENDED, Recommendation, names_by_hub_id
from .registry import MINI, Registry
from .samplers import SAMPLERS
from .shelf import Entry

__all__ = [
    "FAMILIES",
    "MINI",
    "RECOMMENDED",
    "SAMPLERS",
    "Card",
    "Checkpoint",
    "CheckpointUnknown",
    "CheckpointUnreadable",
    "CheckpointUnsupported",
    "Entry",
    "Family",
    "Lora",
    "LoraRegistry",
    "LoraUnknown",
    "LoraUnreadable",
    "LoraUnsupported",
    "ModelsError",
    "Recommendation",
    "Registry",
    "inspect",
    "inspect_lora",
    "names_by_hub_id",
]
