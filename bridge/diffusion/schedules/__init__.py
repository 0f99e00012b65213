"""Noise schedules: how latents are noised, where a sampler's steps lie, and what the denoiser is told of it.

`noise_schedule` says what a sampler may know of one; the others are the kinds that there are.
"""

from .flow_matching import FlowMatchingSchedule, LinearMu, ModelTime, TimeShift, flux2_mu
from .noise_schedule import NoiseLevel, NoiseSchedule
from .variance_preserving import VariancePreservingSchedule

__all__ = [
    "FlowMatchingSchedule",
    "LinearMu",
    "ModelTime",
    "NoiseLevel",
    "NoiseSchedule",
    "TimeShift",
    "VariancePreservingSchedule",
    "flux2_mu",
]
