"""Checkpoints distilled to few steps, and the steps, guidance and sampler that they want.

Told by the scheduler in the folder and by the UNet, else by the name, since a single file's tensors do not say it. A
card.json overrules.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .samplers import EULER, EULER_A, LCM, TCD

__all__ = ["Distillation", "distillation_of"]


@dataclass(frozen=True)
class Distillation:
    """What a distillation is called, and what it wants. Guidance 1 asks the UNet once, for the prompt alone."""

    title: str
    steps: int
    guidance: float
    sampler: str


# Luo et al. 2023; Zheng et al. 2024; Sauer et al. 2023; Lin et al. 2024 (SDXL-Lightning).
_LCM = Distillation("LCM", 6, 1.0, LCM)
_LCM_OF_ITS_OWN = Distillation("LCM", 6, 8.0, LCM)
_TCD = Distillation("TCD", 6, 1.0, TCD)
_TURBO = Distillation("Turbo", 4, 1.0, EULER_A)
_LIGHTNING = Distillation("Lightning", 6, 1.0, EULER)
_BY_NAME = {"lcm": _LCM, "turbo": _TURBO, "lightning": _LIGHTNING}
_BY_SCHEDULER = {"LCMScheduler": _LCM, "TCDScheduler": _TCD}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def distillation_of(
    name: str, scheduler: Mapping[str, Any] | None = None, denoiser: Mapping[str, Any] | None = None
) -> Distillation | None:
    """The distillation that a folder's configs or a checkpoint's name tell of; None where neither does.

    Names are looked at word by word, so that "DreamShaperXL_Lightning" tells of one and "turbocharger" of none.
    """
    if denoiser is not None and denoiser.get("time_cond_proj_dim") is not None:
        return _LCM_OF_ITS_OWN
    if scheduler is not None and scheduler.get("_class_name") in _BY_SCHEDULER:
        return _BY_SCHEDULER[scheduler["_class_name"]]
    for word in _WORD.findall(name):
        if word.lower() in _BY_NAME:
            return _BY_NAME[word.lower()]
    return None
