"""Which checkpoints there are, and what each is. Reads headers and small JSON files; imports no torch."""

from .card import Card
from .checkpoint import Checkpoint, inspect
from .errors import CheckpointUnknown, CheckpointUnreadable, CheckpointUnsupported, ModelsError
from .family import FAMILIES, Family
from .recommended import RECOMMENDED, Recommendation, names_by_hub_id
from .registry import MINI, Entry, Registry
from .samplers import SAMPLERS

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
    "ModelsError",
    "Recommendation",
    "Registry",
    "inspect",
    "names_by_hub_id",
]
