"""Jobs' messages by the names of their settings' fields, whichever group these are in."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any, TypeVar

from bridge.painter import PaintedLayer, Request
from bridge.protocol.messages import Plan, Recipe, Submit, flat_settings, job_fields, job_settings

__all__ = ["made_with", "plan_of", "request_of", "said", "submit_of", "with_settings"]

M = TypeVar("M", Plan, Recipe, Request, Submit)


def submit_of(**values: Any) -> Submit:
    """A ``submit`` from its own fields and those of its settings."""
    return Submit(**_split(Submit, values))


def plan_of(**values: Any) -> Plan:
    """A ``plan``, likewise."""
    return Plan(**_split(Plan, values))


def request_of(**values: Any) -> Request:
    """What the painter is asked, likewise."""
    return Request(**_split(Request, values))


def with_settings(message: M, **values: Any) -> M:
    """The same message with other values, of its own fields or of its settings'."""
    own = {name: value for name, value in values.items() if name not in job_fields()}
    settings = {name: value for name, value in values.items() if name in job_fields()}
    return replace(message, settings=job_settings({**flat_settings(message.settings), **settings}), **own)


def said(message: Any) -> Any:
    """All settings of whatever has some, as attributes by their names."""
    return SimpleNamespace(**flat_settings(message.settings))


def made_with(painted: PaintedLayer) -> dict[str, Any]:
    """What the painter made a layer with, by name: the settings, ``model_width``, ``model_height`` and ``batched``."""
    resolved = painted.settings
    width, height = (0, 0) if resolved.model_size is None else (resolved.model_size.width, resolved.model_size.height)
    return {**flat_settings(resolved.job), "model_width": width, "model_height": height, "batched": resolved.batched}


def _split(cls: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    own = {field.name for field in fields(cls)}
    settings = {name: value for name, value in values.items() if name not in own}
    return {**{name: value for name, value in values.items() if name in own}, "settings": job_settings(settings)}
