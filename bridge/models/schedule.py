"""What a denoiser was trained with: what it predicts, and along which kind of noise schedule.

How latents are noised and stepped is `bridge.diffusion.schedules`' and `bridge.diffusion.samplers`' subject.
"""

from enum import StrEnum

__all__ = ["DIFFUSION_PREDICTIONS", "Prediction", "ScheduleKind"]


class Prediction(StrEnum):
    """What the denoiser predicts, in diffusers' words.

    With x = a * clean + b * noise: the noise; v = a * noise - b * clean (Salimans and Ho 2022); the clean latents; or,
    along a flow, the velocity noise - clean.
    """

    EPSILON = "epsilon"
    V_PREDICTION = "v_prediction"
    SAMPLE = "sample"
    FLOW = "flow_prediction"


DIFFUSION_PREDICTIONS = (Prediction.EPSILON, Prediction.V_PREDICTION, Prediction.SAMPLE)
"""What denoisers of variance-preserving schedules predict."""


class ScheduleKind(StrEnum):
    """How signal and noise are mixed: a^2 + b^2 = 1 (Ho et al. 2020), or a + b = 1 (rectified flow)."""

    VARIANCE_PRESERVING = "variance_preserving"
    FLOW_MATCHING = "flow_matching"
