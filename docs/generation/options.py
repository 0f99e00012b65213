"""``bridge/client/options.py``: what a type checker knows of the keywords of a job's settings."""

from __future__ import annotations

from enum import Enum
from typing import Any

from bridge.protocol.messages import job_fields

__all__ = ["options"]

# These say what is painted on; the calls of scripts have arguments of their own for them.
_OF_THE_CALL = ("kind", "scale")

_WITH_PICTURES = {"conditions": "ConditionPixels", "regions": "RegionPixels"}

_HEAD = '''"""A job's settings as keywords. Written by docs/generate.py from the fields of `bridge/protocol/job.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional, TypedDict, Union

from ..protocol.messages import {enums}
from .job import ConditionPixels, RegionPixels

__all__ = ["JobOptions", "SettingsOptions"]


class JobOptions(TypedDict, total=False):
    """What is asked of a job, but for its kind and scale."""

{job}


class SettingsOptions(JobOptions, total=False):
    """All of a job's settings."""

{call}
'''


def options() -> str:
    """The module's text."""
    kinds = {name: field.spec for name, field in job_fields().items()}
    lines = {name: f"    {name}: {_type(name, spec.core, optional=spec.optional)}" for name, spec in kinds.items()}
    enums = sorted({spec.core.__name__ for spec in kinds.values() if _is_enum(spec.core)})
    return _HEAD.format(
        enums=", ".join(enums),
        job="\n".join(line for name, line in lines.items() if name not in _OF_THE_CALL),
        call="\n".join(lines[name] for name in _OF_THE_CALL),
    )


def _type(name: str, core: Any, *, optional: bool) -> str:
    if name in _WITH_PICTURES:
        return f"Sequence[{_WITH_PICTURES[name]}]"
    words = f"Union[{core.__name__}, str]" if _is_enum(core) else core.__name__
    return f"Optional[{words}]" if optional else words


def _is_enum(core: Any) -> bool:
    return isinstance(core, type) and issubclass(core, Enum)
