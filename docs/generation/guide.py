"""``docs/protocol.md`` from its template and the messages' fields."""

from __future__ import annotations

import json
import re
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from bridge.protocol.errors import CODES
from bridge.protocol.fields import FieldSpec, StrEnum, field_specs
from bridge.protocol.messages import CLIENT_MESSAGES, PROTOCOL_VERSION, SERVER_MESSAGES
from bridge.protocol.pixels import DEPTH_BYTES
from bridge.protocol.wire import encode

from .examples import to_json, worked_session
from .figures import close_codes, figures
from .jobs import modes, recipe_fields
from .schema import part_of, parts, title

__all__ = ["guide"]

_TEMPLATE = Path(__file__).with_name("protocol.template.md")
_EXAMPLE = Path(__file__).parents[1] / "examples" / "fill.mjs"
_HEX_COLUMNS = 100


def guide() -> str:
    """The whole page."""
    pieces = {
        "version": str(PROTOCOL_VERSION),
        **figures(),
        "close_codes": close_codes(),
        "modes": modes(),
        **{f"recipe_{kind}": names for kind, names in recipe_fields().items()},
        "depths": "\n".join(f"| `{depth}` | {size} |" for depth, size in DEPTH_BYTES.items()),
        "session": _session(),
        "example": f"```js\n{_EXAMPLE.read_text(encoding='utf-8')}```",
        "client_messages": "\n\n".join(_section(name, cls) for name, cls in CLIENT_MESSAGES.items()),
        "server_messages": "\n\n".join(_section(name, cls) for name, cls in SERVER_MESSAGES.items()),
        "parts": "\n\n".join(_section(title(cls), cls) for cls in parts()),
        "errors": _errors(),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: pieces[match[1]], _TEMPLATE.read_text(encoding="utf-8"))


def _session() -> str:
    steps = []
    for number, (side, words, message) in enumerate(worked_session(), 1):
        frame = encode(message)
        digits = frame.hex()
        lines = [digits[start : start + _HEX_COLUMNS] for start in range(0, len(digits), _HEX_COLUMNS)]
        plain = json.dumps(to_json(frame), ensure_ascii=False)
        speaker = "host to bridge" if side == "client" else "bridge to host"
        steps.append(
            f"**{number}. {speaker}.** {words}\n\n```json\n{plain}\n```\n\n{len(frame)} bytes:\n\n```text\n"
            + "\n".join(lines)
            + "\n```"
        )
    return "\n\n".join(steps)


def _section(name: str, cls: type[Any]) -> str:
    rows = ["| field | type | range | default | meaning |", "| --- | --- | --- | --- | --- |"]
    rows += [
        f"| `{spec.name}` | {_type(spec.kind)} | {_range(spec)} | {_default(spec)} | {_cell(spec.metadata['doc'])} |"
        for spec in field_specs(cls)
    ]
    return f"### {name}\n\n{' '.join((cls.__doc__ or '').replace('``', '`').split())}\n\n" + "\n".join(rows)


def _type(kind: Any) -> str:
    origin, kind = get_origin(kind), part_of(kind)
    if origin is Union:
        return " or ".join(_type(arg) for arg in get_args(kind))
    if origin is tuple:
        return f"list of {_type(get_args(kind)[0])}"
    if origin is dict:
        return f"map of text to {_type(get_args(kind)[1])}"
    if is_dataclass(kind):
        return f"[{title(kind)}](#{title(kind).lower()})"  # type: ignore[arg-type]
    if issubclass(kind, StrEnum):
        return "text"
    return {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "text", bytes: "bytes"}[kind]


def _range(spec: FieldSpec) -> str:
    limits = spec.metadata
    if isinstance(spec.core, type) and issubclass(spec.core, StrEnum):
        return ", ".join(f"`{name}`" for name in spec.core)
    low, high = limits.get("min"), limits.get("max")
    if low is None and high is None:
        return ""
    length = "" if spec.core in (int, float) else "length "
    if low == high:
        return f"{length}{low}"
    if high is None:
        return f"{length}from {low}"
    return f"{length}{low} to {high}" if low is not None else f"{length}up to {high}"


def _default(spec: FieldSpec) -> str:
    if spec.required:
        return "*required*"
    if spec.default is None:
        return "null"
    if is_dataclass(spec.default):
        return "its defaults"
    if spec.default == ():
        return "empty"
    return f"`{json.dumps(spec.default)}`"


def _errors() -> str:
    rows = ["| code | message | hint | closes |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{entry.code}` | {_cell(entry.message)} | {_cell(entry.hint)} | {'yes' if entry.closes else ''} |"
        for entry in CODES.values()
    ]
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
