"""Samples of a training in progress: painted with the moving average of the weights, saved as one PNG."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor, nn

__all__ = ["averaged_weights", "save_grid", "to_pictures"]


@contextmanager
def averaged_weights(module: nn.Module, averages: dict[str, Tensor]) -> Iterator[None]:
    """Within the context ``module`` has the averaged weights; afterwards its own again."""
    kept = {name: value.detach().clone() for name, value in module.named_parameters() if name in averages}
    module.load_state_dict(averages, strict=False)
    try:
        yield
    finally:
        module.load_state_dict(kept, strict=False)


def to_pictures(batch: Tensor) -> np.ndarray:
    """(n, 3, h, w) in [-1, 1] to (n, h, w, 3) uint8, rounded."""
    return ((batch.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def save_grid(batch: Tensor, path: Path, columns: int) -> None:
    """Write (n, 3, h, w) in [-1, 1] as a grid, row by row; n is a multiple of ``columns``."""
    pictures = to_pictures(batch)
    rows = [np.concatenate(list(pictures[at : at + columns]), 1) for at in range(0, len(pictures), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    Image.fromarray(np.concatenate(rows)).save(partial, format="PNG")
    partial.replace(path)
