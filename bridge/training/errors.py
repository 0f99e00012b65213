"""What can go wrong in training, each with a sentence that says what to do about it."""

from typing import ClassVar

__all__ = [
    "CheckpointUnfit",
    "DataHashMismatch",
    "DataUnavailable",
    "DiskFull",
    "LossNotFinite",
    "RecipeInvalid",
    "StateInvalid",
    "TrainingError",
]


class TrainingError(Exception):
    """Anything that stops a training: `code` for programs, `message` for the person who started it, `hint` says what to
    do.
    """

    code: ClassVar[str] = "training_failed"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class CheckpointUnfit(TrainingError):
    """A checkpoint that training was to begin from has not the recipe's parts, or is not a whole one."""

    code = "checkpoint_unfit"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"Training can't begin from {path}: {reason}.",
            "Name a checkpoint that this recipe made, or begin from nothing.",
        )


class DataUnavailable(TrainingError):
    """A data package could not be fetched by its registry's own client."""

    code = "data_unavailable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"The data package {name} could not be fetched ({reason}). Nothing was trained on it.",
            "Fetch it by hand into the data folder, or run the command again with the network up.",
        )


class DataHashMismatch(TrainingError):
    """A data package is not the one that the recipe names."""

    code = "data_hash_mismatch"

    def __init__(self, path: object, wanted: str, found: str) -> None:
        super().__init__(
            f"{path} is not the file that the recipe names: its SHA-256 is {found}, wanted {wanted}. It was not used.",
            "Delete it and fetch again; if it comes back the same, the package has changed.",
        )


class DiskFull(TrainingError):
    """A training state could not be written; the one before it is whole."""

    code = "disk_full"

    def __init__(self, path: object) -> None:
        super().__init__(
            f"There is no room on the disk: {path} could not be written. The last state written before it is whole.",
            "Free some space and start the same again, and training goes on from there.",
        )


class LossNotFinite(TrainingError):
    """The loss became NaN or infinite."""

    code = "loss_not_finite"

    def __init__(self, step: int) -> None:
        super().__init__(
            f"The loss is not a finite number at step {step}; the weights would be lost, so training stopped.",
            "The last state on disk is good. Begin anew with a lower learning rate if the same happens again.",
        )


class RecipeInvalid(TrainingError):
    """A recipe lacks something, or says something that cannot be."""

    code = "recipe_invalid"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"The recipe {path} can't be used: {reason}.", "Correct it and start again.")


class StateInvalid(TrainingError):
    """A training state on disk does not fit the recipe, or is damaged."""

    code = "state_invalid"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"The training state {path} can't be used: {reason}.",
            "Train as it was begun, or delete it to begin anew.",
        )
