"""Samplers and schedulers by that API's names, which keeps apart what the bridge names in one."""

from __future__ import annotations

from typing import Any

from ....models.samplers import (
    DDIM,
    DPM_PP_2M,
    DPM_PP_2M_KARRAS,
    DPM_PP_SDE,
    EULER,
    EULER_A,
    HEUN,
    SAMPLERS,
    UNIPC,
)
from ....protocol.errors import BridgeError

__all__ = ["resolve_sampler", "samplers", "schedulers"]

# Its label is what stands behind a sampler's name.
_SCHEDULERS = {"automatic": "Automatic", "karras": "Karras"}
# Older clients say a sampler and its scheduler in one.
_LABELS = (" karras", " polyexponential", " exponential", " sgm uniform", " simple", " normal", " beta")
_ALIASES: dict[str, tuple[str, ...]] = {
    DDIM: ("ddim",),
    DPM_PP_2M: ("k_dpmpp_2m",),
    DPM_PP_2M_KARRAS: ("k_dpmpp_2m_ka",),
    DPM_PP_SDE: ("k_dpmpp_sde",),
    EULER: ("k_euler",),
    EULER_A: ("k_euler_a", "k_euler_ancestral"),
    HEUN: ("k_heun",),
    UNIPC: ("unipc",),
}
# Samplers that are there and not here. Clients choose them unasked (one add-on for Blender LMS), so the nearest of kind
# stands in, and the answer says so.
_NEAREST = {
    "dpm adaptive": DPM_PP_2M,
    "dpm fast": DPM_PP_2M,
    "dpm++ 2m sde": DPM_PP_SDE,
    "dpm++ 2m sde heun": DPM_PP_SDE,
    "dpm++ 2s a": EULER_A,
    "dpm++ 3m sde": DPM_PP_SDE,
    "dpm2": HEUN,
    "dpm2 a": EULER_A,
    "k_lms": DPM_PP_2M,
    "lms": DPM_PP_2M,
    "plms": DDIM,
    "restart": HEUN,
}


def resolve_sampler(name: str, scheduler: str) -> tuple[str, tuple[str, ...]]:
    """The bridge's sampler, and which of the fields ``sampler_name`` and ``scheduler`` were not heeded in full.

    Raises:
        BridgeError: ``unsupported_sampler``.
    """
    wanted, schedule = name.strip().lower(), scheduler.strip().lower()
    known = {sampler.lower(): sampler for sampler in SAMPLERS}
    known |= {alias: sampler for sampler, aliases in _ALIASES.items() for alias in aliases}
    exact = known.get(wanted)
    if schedule and (joined := known.get(f"{exact or wanted} {schedule}".lower())):
        return joined, ()
    unheeded = ("scheduler",) if schedule not in ("", "automatic", "normal", "uniform") else ()
    if exact is not None:
        return exact, unheeded
    plain = next((wanted.removesuffix(end) for end in _LABELS if wanted.endswith(end)), wanted)
    nearest = known.get(plain) or _NEAREST.get(plain)
    if nearest is not None:
        return nearest, (*unheeded, "sampler_name")
    raise BridgeError(
        "unsupported_sampler", "Sampler not found", "Choose one of: {samplers}.", samplers=", ".join(SAMPLERS)
    )


def samplers() -> list[dict[str, Any]]:
    """The answer to ``samplers``."""
    return [{"name": name, "aliases": list(_ALIASES.get(name, ())), "options": {}} for name in SAMPLERS]


def schedulers() -> list[dict[str, Any]]:
    """The answer to ``schedulers``."""
    return [
        {"name": name, "label": label, "aliases": None, "default_rho": -1, "need_inner_model": False}
        for name, label in _SCHEDULERS.items()
    ]
