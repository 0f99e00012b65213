"""Samplers and schedulers by that API's names, which keeps apart what the bridge names in one."""

from __future__ import annotations

from typing import Any

from ....models.samplers import SAMPLERS
from ....protocol.errors import BridgeError

__all__ = ["resolve_sampler", "samplers", "schedulers"]

# Its label is what stands behind a sampler's name.
_SCHEDULERS = {"automatic": "Automatic", "karras": "Karras"}
_UNSUPPORTED_LABELS = ("Karras", "Exponential", "Polyexponential", "SGM Uniform", "Simple", "Normal", "Beta")


def resolve_sampler(name: str, scheduler: str) -> tuple[str, tuple[str, ...]]:
    """The bridge's sampler, and which of the fields ``sampler_name`` and ``scheduler`` were not heeded in full.

    Raises:
        BridgeError: ``unsupported_sampler``.
    """
    known = {sampler.lower(): sampler for sampler in SAMPLERS}
    wanted, schedule = name.strip().lower(), scheduler.strip().lower()
    if schedule and f"{wanted} {schedule}" in known:
        return known[f"{wanted} {schedule}"], ()
    unheeded = ("scheduler",) if schedule not in ("", "automatic", "normal", "uniform") else ()
    if wanted in known:
        return known[wanted], unheeded
    for label in _UNSUPPORTED_LABELS:
        plain = wanted.removesuffix(f" {label.lower()}")
        if plain in known:
            return known[plain], (*unheeded, "sampler_name")
    raise BridgeError("unsupported_sampler", "Sampler not found", f"Choose one of: {', '.join(SAMPLERS)}.")


def samplers() -> list[dict[str, Any]]:
    """The answer to ``samplers``."""
    return [{"name": name, "aliases": [], "options": {}} for name in SAMPLERS]


def schedulers() -> list[dict[str, Any]]:
    """The answer to ``schedulers``."""
    return [
        {"name": name, "label": label, "aliases": None, "default_rho": -1, "need_inner_model": False}
        for name, label in _SCHEDULERS.items()
    ]
