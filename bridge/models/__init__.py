"""Which checkpoints, LoRAs and ControlNets there are, told by headers and small JSON files; imports no torch."""

from .card import Card
from .checkpoint import Checkpoint
from .control_kinds import control_kind
from .controlnet import ControlNet, inspect_controlnet
from .controlnets import ControlNetRegistry
from .embeddings import Embedding, EmbeddingRegistry, inspect_embedding
from .errors import (
    CheckpointUnknown,
    CheckpointUnreadable,
    CheckpointUnsupported,
    ConditionUnsupported,
    LoraUnknown,
    LoraUnreadable,
    LoraUnsupported,
    ModelsError,
    SamplerUnsupported,
)
from .estimator_registry import EstimatorRegistry
from .estimators import Estimator, EstimatorTask
from .families import FAMILIES, Family
from .inspection import inspect
from .lora import Lora, inspect_lora
from .loras import LoraRegistry
from .model_index import Entry
from .recommended import RECOMMENDED, Recommendation, names_by_hub_id
from .registry import MINI, Registry
from .samplers import SAMPLERS
from .wildcards import WildcardRegistry

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
    "ConditionUnsupported",
    "ControlNet",
    "ControlNetRegistry",
    "Embedding",
    "EmbeddingRegistry",
    "Entry",
    "Estimator",
    "EstimatorRegistry",
    "EstimatorTask",
    "Family",
    "Lora",
    "LoraRegistry",
    "LoraUnknown",
    "LoraUnreadable",
    "LoraUnsupported",
    "ModelsError",
    "Recommendation",
    "Registry",
    "SamplerUnsupported",
    "WildcardRegistry",
    "control_kind",
    "inspect",
    "inspect_controlnet",
    "inspect_embedding",
    "inspect_lora",
    "names_by_hub_id",
]
