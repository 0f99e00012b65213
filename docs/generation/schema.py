"""The messages as JSON Schema 2020-12, in the JSON form of the test vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Union, get_args, get_origin

from bridge.errors import Sentence
from bridge.protocol.fields import StrEnum, field_specs
from bridge.protocol.messages import CLIENT_MESSAGES, PROTOCOL_VERSION, SERVER_MESSAGES
from bridge.protocol.sentences import WireSentence

__all__ = ["part_of", "parts", "schema", "title"]

_SAFE = (1 << 53) - 1


def schema() -> dict[str, Any]:
    """All of it. ``client_message`` and ``server_message`` are what each side may send."""
    messages = {**CLIENT_MESSAGES, **SERVER_MESSAGES}
    definitions = {title(cls): _object(cls) for cls in parts()}
    definitions.update({name: _object(cls, name) for name, cls in messages.items()})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Paintbridge protocol {PROTOCOL_VERSION}",
        "description": 'The maps of the frames. Bytes stand as {"hex": ...}, and integers that a double cannot hold as '
        '{"int": ...}; on the wire they are msgpack bin and integers.',
        "anyOf": [{"$ref": "#/$defs/client_message"}, {"$ref": "#/$defs/server_message"}],
        "$defs": {
            "client_message": {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in CLIENT_MESSAGES]},
            "server_message": {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in SERVER_MESSAGES]},
            **definitions,
        },
    }


def parts() -> list[type[Any]]:
    """The classes that messages are made of, in the order of their first use."""
    found: dict[type[Any], None] = {}

    def visit(cls: type[Any]) -> None:
        for spec in field_specs(cls):
            inner = _inner(spec.kind)
            if is_dataclass(inner) and inner not in found:
                found[inner] = None
                visit(inner)

    for cls in (*CLIENT_MESSAGES.values(), *SERVER_MESSAGES.values()):
        visit(cls)
    return list(found)


def part_of(kind: Any) -> Any:
    """The class that a field's value is on the wire."""
    return WireSentence if kind is Sentence else kind


def title(cls: type[Any]) -> str:
    """What the documents call a class."""
    return cls.__name__.removeprefix("Wire")


def _inner(kind: Any) -> Any:
    while get_origin(kind) in (Union, tuple):
        kind = get_args(kind)[0]
    return part_of(kind)


def _object(cls: type[Any], name: str | None = None) -> dict[str, Any]:
    specs = field_specs(cls)
    properties: dict[str, Any] = {"type": {"const": name}} if name else {}
    for spec in specs:
        properties[spec.name] = {**_type(spec.kind, spec.metadata), "description": spec.metadata["doc"]}
        if not spec.required and isinstance(spec.default, bool | int | float | str):
            properties[spec.name]["default"] = spec.default
    required = [spec.name for spec in specs if spec.required]
    return {
        "type": "object",
        "description": " ".join((cls.__doc__ or "").split()),
        "properties": properties,
        "required": ["type", *required] if name else required,
        "additionalProperties": False,
    }


def _type(kind: Any, limits: Mapping[str, Any]) -> dict[str, Any]:
    origin, kind = get_origin(kind), part_of(kind)
    if origin is Union:
        return {"anyOf": [{"type": "null"} if arg is type(None) else _type(arg, limits) for arg in get_args(kind)]}
    if origin is tuple:
        return {"type": "array", "items": _type(get_args(kind)[0], {}), **_sizes(limits, "minItems", "maxItems")}
    if origin is dict:
        inner = _type(get_args(kind)[1], {})
        sizes = _sizes(limits, "minProperties", "maxProperties")
        return {"type": "object", "additionalProperties": inner, **sizes}
    if is_dataclass(kind):
        return {"$ref": f"#/$defs/{title(kind)}"}  # type: ignore[arg-type]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"enum": [name.value for name in kind]}
    if kind is bool:
        return {"type": "boolean"}
    if kind is str:
        return {"type": "string", **_sizes(limits, "minLength", "maxLength")}
    if kind is bytes:
        low, high = limits.get("min", 0), limits.get("max", "")
        digits = {"type": "string", "pattern": "^([0-9a-f]{2})*$", "minLength": 2 * low}
        if high:
            digits["maxLength"] = 2 * high
        return {"type": "object", "properties": {"hex": digits}, "required": ["hex"], "additionalProperties": False}
    return _number(kind, limits)


def _number(kind: Any, limits: Any) -> dict[str, Any]:
    plain = {"type": "integer" if kind is int else "number"}
    high = limits.get("max")
    if kind is int and high is not None and high > _SAFE:
        large = {"type": "object", "properties": {"int": {"type": "string", "pattern": "^[0-9]{16,20}$"}}}
        large.update(required=["int"], additionalProperties=False)
        return {"anyOf": [{**plain, "minimum": limits["min"], "maximum": _SAFE}, large]}
    return {**plain, **_sizes(limits, "minimum", "maximum")}


def _sizes(limits: Any, low: str, high: str) -> dict[str, Any]:
    return {name: limits[key] for name, key in ((low, "min"), (high, "max")) if key in limits}
