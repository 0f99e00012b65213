"""What a trip through the VAE loses, given back where the model has changed little; and what it should not change."""

import cv2
import numpy as np

__all__ = ["keep_colour", "keep_detail", "keep_shown", "recoloured"]

# Colours that differ by this much on average around a pixel show other things, whose details would be ghosts.
_OTHER = 0.1
_AROUND = 1 / 64
# What a model merely repeats of what it is shown differs by less than the first, what it paints upon it by more than
# the second.
_REPEATED, _PAINTED = 0.03, 0.1
_AROUND_PAINTED = 1 / 24
# From this strength on a model may give large areas another colour.
_RECOLOURS = 0.3
# The least area that is large, as a share of the longer side.
_AREA = 1 / 16


def keep_detail(painted: np.ndarray, start: np.ndarray, round_trip: np.ndarray, strength: float) -> np.ndarray:
    """`painted` with the detail of `start` that the VAE and the model's size lost; all (h, w, 3) of the context.

    `round_trip` is `start` through the VAE and back, nothing denoised: what it lacks of `start` is what is lost. That
    is given back in full at strength 0 and not at all at 1, and only where `painted` is still close to `round_trip`.
    """
    lost = start - round_trip
    side = max(3, round(max(painted.shape[:2]) * _AROUND)) | 1
    changed = cv2.blur(np.abs(painted - round_trip).mean(axis=-1), (side, side))
    share = (1 - strength) * np.clip(1 - changed / _OTHER, 0, 1)
    kept: np.ndarray = painted + lost * share[..., None].astype(np.float32)
    return kept


def keep_shown(painted: np.ndarray, start: np.ndarray, round_trip: np.ndarray) -> np.ndarray:
    """`painted` where it shows something else than `round_trip`, `start` where it repeats it; all (h, w, 3).

    For a model that is shown `start` and paints a thing upon it: what is no part of the thing need not pass through
    it, and is sharper, and truer in its colours, as it was.
    """
    side = max(3, round(max(painted.shape[:2]) * _AROUND_PAINTED)) | 1
    changed = cv2.blur(np.abs(painted - round_trip).mean(axis=-1), (side, side))
    share = np.clip((changed - _REPEATED) / (_PAINTED - _REPEATED), 0, 1)
    share = (share * share * (3 - 2 * share))[..., None].astype(np.float32)
    kept: np.ndarray = start + (painted - start) * share
    return kept


def keep_colour(painted: np.ndarray, start: np.ndarray, strength: float) -> np.ndarray:
    """`painted` with the colours that large areas of `start` have, as far as they are not `recoloured`."""
    share = 1 - recoloured(strength)
    if share == 0:
        return painted
    side = max(3, round(max(painted.shape[:2]) * _AREA)) | 1
    cast = np.asarray(cv2.blur(cv2.blur(painted - start, (side, side)), (side, side)), np.float32)
    kept: np.ndarray = painted - cast * np.float32(share)
    return kept


def recoloured(strength: float) -> float:
    """How far a refinement may give large areas another colour: not at all at strength 0, in full from 0.3 on.

    So little noise hides nothing of large areas. What changes there is the model's own error, and the error of
    measuring it in the surroundings, which many refinements in a row would add up.
    """
    return min(1.0, (strength / _RECOLOURS) ** 2)
