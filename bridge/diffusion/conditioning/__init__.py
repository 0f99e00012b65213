"""Guides: what is loaded for each, and what it adds to a model's prediction.

A guide on disk is a `GuideFiles`, such as `bridge.models.ControlNet`. `register_guide` says how those of one
architecture are loaded, and how what was loaded is prepared for a plane. The denoising loop, the painter and the memory
know none.
"""

from .controlnet import ControlNetConditioner, ControlNetLoader
from .guide_input import GuideInput
from .reference_tokens import ReferenceConditioner, ReferenceLatents
from .registry import GuideFiles, GuideLoader, check_takes, guide_loader, register_guide
from .residuals import Residuals, summed_residuals

__all__ = [
    "ControlNetConditioner",
    "ControlNetLoader",
    "GuideFiles",
    "GuideInput",
    "GuideLoader",
    "ReferenceConditioner",
    "ReferenceLatents",
    "Residuals",
    "check_takes",
    "guide_loader",
    "register_guide",
    "summed_residuals",
]
