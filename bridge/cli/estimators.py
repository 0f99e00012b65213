"""Estimators of maps in words and as JSON, for ``paintbridge models list``."""

from __future__ import annotations

from typing import Any

from ..home import find_home
from ..models import Entry, Estimator, EstimatorRegistry
from ..models.estimators import maps_of
from ..models.locations import OWN
from ..server.settings import load_settings
from .describe import size_on_disk, size_words

__all__ = ["estimator_registry", "estimator_row", "estimator_row_words"]


def estimator_registry() -> EstimatorRegistry:
    """The estimators that a bridge started here would use.

    Raises:
        StartError: a setting cannot be used.
    """
    return EstimatorRegistry((find_home().models, *load_settings().models_folders))


def estimator_row(entry: Entry[Estimator], estimator: Estimator) -> dict[str, Any]:
    """What ``models list`` says of an estimator."""
    return {
        "name": entry.name,
        "task": estimator.task.value,
        "maps": list(maps_of(estimator.task)),
        "architecture": estimator.architecture,
        "size_bytes": size_on_disk(entry),
        "program": entry.program,
        "path": str(entry.path),
    }


def estimator_row_words(said: dict[str, Any]) -> str:
    """The row for people; a tilde marks it as something that makes maps."""
    whose = "" if said["program"] == OWN else f" [{said['program']}]"
    maps = ", ".join(said["maps"])
    return f"~ {said['name']}: estimator, for maps of {maps}, {size_words(said['size_bytes'])}{whose}; {said['path']}"
