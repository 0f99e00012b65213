"""How a checkpoint is told what to repaint, in words, for ``paintbridge models info``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..models import Checkpoint, ControlNet, ModelsError
from ..models.checkpoint import FillMethod
from ..models.controlnets import choose_inpainting
from ..models.inpaint_difference import FARTHEST, find_difference, known_distance

__all__ = ["fill_method_words"]


def fill_method_words(
    checkpoint: Checkpoint, others: Iterable[Checkpoint], nets: Mapping[str, ControlNet | ModelsError]
) -> str:
    """What a fill with the checkpoint does, with what else is on the machine; in the order in which it is tried."""
    if checkpoint.inpaint:
        return "channels of its own"
    too_far = ""
    if checkpoint.fills_by in (None, FillMethod.DIFFERENCE):
        difference = find_difference(checkpoint, others, check=lambda: None)
        if difference is not None and checkpoint.fills_by is FillMethod.DIFFERENCE:
            return "its base's inpainting weights, as checkpoints.toml says"
        if difference is not None:
            child = checkpoint.part(checkpoint.family.denoiser).known_hash()
            distance = known_distance(child or "", difference.base.known_hash() or "")
            if distance is None:
                return f"its base's inpainting weights, if within {FARTHEST:g} of that base, which a fill measures"
            if distance <= FARTHEST:
                return f"its base's inpainting weights (distance {distance:.2f}, at most {FARTHEST:g})"
            too_far = f" (its base is {distance:.2f} away, more than {FARTHEST:g})"
    net = None if checkpoint.fills_by is FillMethod.BLEND else choose_inpainting(nets, checkpoint, None)
    return (f"the ControlNet {net.id}" if net is not None else "blending alone") + too_far
