"""What a trip through the VAE loses, given back where the model has changed little."""

import cv2
import numpy as np

__all__ = ["keep_detail"]

# Colours that differ by this much on average around a pixel show other things, whose details would be ghosts.
_OTHER = 0.1
_AROUND = 1 / 64


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
