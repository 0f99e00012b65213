"""A job's settings as keywords. Written by docs/generate.py from the fields of `bridge/protocol/job.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional, TypedDict, Union

from ..protocol.messages import JobKind, Mode
from .job import ConditionPixels, RegionPixels

__all__ = ["JobOptions", "SettingsOptions"]


class JobOptions(TypedDict, total=False):
    """What is asked of a job, but for its kind and scale."""

    mode: Union[Mode, str]
    checkpoint: Optional[str]
    prompt: str
    negative_prompt: str
    conditions: Sequence[ConditionPixels]
    regions: Sequence[RegionPixels]
    inpaint_controlnet: Optional[str]
    strength: Optional[float]
    seed: Optional[int]
    batch: int
    steps: Optional[int]
    guidance: Optional[float]
    sampler: Optional[str]
    fast: bool
    grow: Optional[float]
    feather: Optional[float]
    strict: bool
    control_kind: str
    estimator: Optional[str]
    weak_edge: float
    strong_edge: float
    detail_size: Optional[float]


class SettingsOptions(JobOptions, total=False):
    """All of a job's settings."""

    kind: Union[JobKind, str]
    scale: int
