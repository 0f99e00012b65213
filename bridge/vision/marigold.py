"""Ke et al. 2024, "Repurposing Diffusion-Based Image Generators for Monocular Depth Estimation": Marigold's normals."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from ..canvas.types import FloatArray
from ..diffusion.device import is_out_of_memory
from ..models import CheckpointUnreadable, Estimator
from ..models.estimators import MARIGOLD_PARTS

__all__ = ["MarigoldNormals", "load_marigold"]


class MarigoldNormals(nn.Module):
    """diffusers' pipeline, whose networks are moved and counted as this module's."""

    def __init__(self, pipeline: Any) -> None:
        super().__init__()
        self.pipeline = pipeline
        for part in MARIGOLD_PARTS:
            self.add_module(part, getattr(pipeline, part))
        self._denoiser: nn.Module = self.get_submodule(MARIGOLD_PARTS[0])

    def estimate(self, rgb: torch.Tensor, seed: int, check: Callable[[], None]) -> FloatArray:
        """Where surfaces face, as colours (h, w, 3): red to the left, green up, blue towards us.

        Args:
            rgb: (3, h, w), 0..1.
            seed: of the noise that it begins from.
            check: called before each step; may raise to end it.
        """
        hook = self._denoiser.register_forward_pre_hook(lambda *_: check())
        try:
            found = self.pipeline(
                rgb[None],
                generator=torch.Generator().manual_seed(seed % (1 << 63)),
                output_type="np",
                match_input_resolution=True,
            ).prediction[0]
        finally:
            hook.remove()
        # Its x points to the right.
        vectors = np.asarray(found, np.float32) * np.array([-1, 1, 1], np.float32)
        return np.clip(vectors / 2 + 0.5, 0, 1)


def load_marigold(files: Estimator) -> nn.Module:
    """Its networks, on the CPU, in float32. Raises CheckpointUnreadable where they cannot be loaded."""
    import diffusers

    try:
        pipeline = diffusers.MarigoldNormalsPipeline.from_pretrained(
            files.path, local_files_only=True, use_safetensors=True, torch_dtype=torch.float32
        )
    except (ImportError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise CheckpointUnreadable(
            "{name} cannot be loaded as Marigold's normals.", hint="Download it again.", name=files.path.name
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return MarigoldNormals(pipeline)
