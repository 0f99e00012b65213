"""``bridge/server/page/wire/fields.mjs``: what the page knows of a job's settings."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from bridge.protocol.fields import StrEnum
from bridge.protocol.messages import MODES, PROTOCOL_VERSION, SCALES, STRENGTHS, JobField, JobKind, job_fields

__all__ = ["page_fields"]

_TEXT = """// A job's settings. Written by docs/generate.py from the fields of bridge/protocol/job.py.

export const PROTOCOL_VERSION = {version};

/** @typedef {{"fill" | "refine" | "generate" | "upscale" | "estimate"}} Kind */
/**
 * A field of a job's settings. `group` is the map that holds it, null: the settings themselves; `kinds` are the kinds
 * of job that it has an effect on; an `optional` one may be null.
 * @typedef {{{{name: string, group: string | null, type: string, optional: boolean, default: unknown, min?: number,
 *   max?: number, choices?: string[], kinds: Kind[], doc: string}}}} Field
 */

/** Kinds of job: their modes, and what strength suits. @type {{Record<Kind, {{modes: string[], strength: number}}>}} */
export const KINDS = {kinds};

export const SCALES = {scales};

/** @type {{Field[]}} */
export const FIELDS = {fields};
"""


def page_fields() -> str:
    """The module's text."""
    kinds = {kind: {"modes": modes, "strength": STRENGTHS.get(kind, 1.0)} for kind, modes in MODES.items()}
    fields = [_field(field) for field in job_fields().values()]
    return _TEXT.format(version=PROTOCOL_VERSION, kinds=_js(kinds), scales=_js(SCALES), fields=_rows(fields))


def _rows(fields: list[dict[str, Any]]) -> str:
    """A line a field."""
    return "[\n" + "".join(f"  {json.dumps(field, default=str)},\n" for field in fields) + "]"


def _js(value: Any) -> str:
    return json.dumps(value)


def _field(field: JobField) -> dict[str, Any]:
    spec, core = field.spec, field.spec.core
    named = isinstance(core, type) and issubclass(core, StrEnum)
    limits = {key: spec.metadata[key] for key in ("min", "max") if key in spec.metadata}
    # A double cannot hold the largest of seeds.
    limits = {key: value for key, value in limits.items() if abs(value) < 1 << 53}
    return {
        "name": field.name,
        "group": field.group,
        "type": "list" if not isinstance(core, type) else "str" if named else core.__name__,
        "optional": spec.optional,
        "default": spec.default.value if isinstance(spec.default, Enum) else spec.default,
        **limits,
        **({"choices": [name.value for name in core]} if named else {}),
        "kinds": [kind.value for kind in JobKind if field.counts_for(kind)],
        "doc": spec.metadata["doc"],
    }
