"""What can be wrong with a checkpoint or a LoRA, in words for the artist."""

import errno

from ..errors import PaintbridgeError

__all__ = [
    "NO_ROOM",
    "CheckpointUnknown",
    "CheckpointUnreadable",
    "CheckpointUnsupported",
    "ComponentNoCheckpoint",
    "EmbeddingUnsupported",
    "EstimatorMissing",
    "EstimatorUnsupported",
    "LoraNoCheckpoint",
    "LoraUnknown",
    "LoraUnreadable",
    "LoraUnsupported",
    "ModelsError",
    "NotALora",
    "NotAnEstimator",
    "SamplerUnsupported",
]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system calls a disk without room for more: full, by its quota, or by the process's own limit."""


class ModelsError(PaintbridgeError):
    """Base of this room's errors."""

    code = "checkpoint_unreadable"


class CheckpointUnreadable(ModelsError):
    """The file or folder is broken, truncated, incomplete, or holds pickled code."""

    code = "checkpoint_unreadable"


class CheckpointUnsupported(ModelsError):
    """The file or folder is sound, but of a kind that Paintbridge cannot paint with."""

    code = "checkpoint_unsupported"


class LoraNoCheckpoint(CheckpointUnsupported):
    """The file is a LoRA, which changes a checkpoint and is none itself."""


class ComponentNoCheckpoint(CheckpointUnsupported):
    """The file is a text encoder, a part of checkpoints and none itself."""


class CheckpointUnknown(ModelsError):
    """No checkpoint of that name is installed."""

    code = "checkpoint_unknown"


class EmbeddingUnsupported(CheckpointUnsupported):
    """The file is sound, but no textual inversion for a family that there is."""


class LoraUnreadable(ModelsError):
    """The LoRA's file is broken, truncated, incomplete, or holds pickled code."""

    code = "lora_unreadable"


class LoraUnsupported(ModelsError):
    """The LoRA is sound, but of a kind that Paintbridge does not take, or not made for the checkpoint."""

    code = "lora_unsupported"


class NotALora(LoraUnsupported):
    """The file is sound, and something else."""


class LoraUnknown(ModelsError):
    """No LoRA of that name is there."""

    code = "lora_unknown"


class ConditionUnsupported(ModelsError):
    """No ControlNet is there that takes such a condition, or not for the checkpoint, or of a kind that is not taken."""

    code = "unsupported_condition"


class NotAControlNet(ConditionUnsupported):
    """The file or folder is sound, and something else."""


class SamplerUnsupported(ModelsError):
    """There is no sampler of that name, or it does not take the checkpoint's noise schedule."""

    code = "unsupported_sampler"


class EstimatorMissing(ModelsError):
    """No estimator is there for maps of that kind, or none of that name."""

    code = "estimator_missing"


class EstimatorUnsupported(CheckpointUnsupported):
    """The network is sound, but of a kind that Paintbridge makes no maps with."""


class NotAnEstimator(EstimatorUnsupported):
    """The file or folder is sound, and something else."""
