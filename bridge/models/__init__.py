"""Which checkpoints there are, and what each is. Reads headers and small JSON files; imports no torch."""

from .card import Card
from .checkpoint import Checkpoint, inspect
from .errors import CheckpointUnknown, CheckpointUnreadable, CheckpointUnsupported, ModelsError
from .family import FAMILIES, Family
from .registry import MINI, Registry
from .samplers import SAMPLERS

__all__ = [
    "FAMILIES",
    "MINI",
    "SAMPLERS",
    "Card",
    "Checkpoint",
    "CheckpointUnknown",
    "CheckpointUnreadable",
    "CheckpointUnsupported",
    "Family",
    "ModelsError",
    "Registry",
    "inspect",
]
