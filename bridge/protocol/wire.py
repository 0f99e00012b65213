"""The codec: message <-> one msgpack map, ``{"type": ..., ...}``. One strict decoder serves both sides.

The decoder is driven by the fields of :mod:`.messages`: unknown types and fields, missing fields, wrong types, NaN and
infinities, and values out of range are typed errors that name the field's path, never its content. Only what a server
says may have fields that are not known, which are left out: a later bridge may say more. An integer is accepted where a
float is declared, since JavaScript packs 1.0 as 1; nothing else is converted. Fields that hold their default may be
left out, and are when encoding. msgpack: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import Any, Optional, Union, cast, get_args, get_origin

import msgpack

from ..errors import Sentence
from .errors import BridgeError
from .fields import field_specs
from .messages import (
    CHUNK_BYTES,
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    ClientMessage,
    LibraryEntry,
    Message,
    Put,
    Recipe,
    ServerMessage,
)
from .sentences import WireSentence

__all__ = ["FRAME_BYTES", "check_text", "decode_client", "decode_entry", "decode_recipe", "decode_server", "encode"]

FRAME_BYTES = CHUNK_BYTES + (64 << 10)
"""Most bytes of one frame: a whole chunk and its map, or a generous control message."""

_NESTED_ITEMS = 4096
# Sentences may hold sentences.
_NESTED_MAPS = 8
_PUT_HEAD = re.compile(
    # {"type": "put", "hash": 64 letters, "offset": from 0 up, "data": ...}, as `_encode_put` writes it for a chunk.
    rb"\x84\xa4type\xa3put\xa4hash\xd9\x40([0-9a-f]{64})"
    rb"\xa6offset([\x00-\x7f]|\xcc.|\xcd..|\xce....|\xcf.{8})\xa4data\xc6(....)",
    re.DOTALL,
)
_TOO_MANY = re.compile(r"(\d+) exceeds max_(array|map)_len")


# ---------------------------------------------------------------- encoding


def encode(message: Message) -> bytes:
    """Pack a message into the bytes of one frame.

    Raises:
        BridgeError: ``bad_text`` for a text that is no Unicode text.
    """
    if isinstance(message, Put):
        return _encode_put(message)
    kind = type(message).__name__.lower()
    body = _to_plain(message, type(message), kind)
    return cast(bytes, msgpack.packb({"type": kind, **body}, use_bin_type=True))


def _encode_put(put: Put) -> bytes:
    """The same bytes, but the pixels are copied once only, where msgpack's own buffer takes three copies."""
    head = msgpack.packb({"type": "put", "hash": put.hash, "offset": put.offset}, use_bin_type=True)
    size = len(put.data)
    # The map's fourth key, and a bin 8, bin 16 or bin 32 header.
    code, length = (0xC4, 1) if size < 1 << 8 else (0xC5, 2) if size < 1 << 16 else (0xC6, 4)
    return b"".join((b"\x84", head[1:], b"\xa4data", bytes((code,)), size.to_bytes(length, "big"), put.data))


def _to_plain(value: Any, kind: Any, path: str) -> Any:
    if kind is Sentence:
        value = WireSentence.of(value)
    if is_dataclass(value) and not isinstance(value, type):
        plain: dict[str, Any] = {}
        for spec in field_specs(type(value)):
            item = getattr(value, spec.name)
            if spec.required or item != spec.default:
                plain[spec.name] = _to_plain(item, spec.kind, f"{path}.{spec.name}")
        return plain
    if isinstance(value, tuple):
        inner = get_args(kind)[0] if get_origin(kind) is tuple else None
        return [_to_plain(item, inner, path) for item in value]
    if isinstance(value, dict):
        return {key: _to_plain(item, None, path) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        check_text(value, path)
    return value


def check_text(value: str, path: str) -> None:
    """See that a text can be sent: half of a character (a lone surrogate) cannot.

    Raises:
        BridgeError: ``bad_text``.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BridgeError("bad_text", "{path} holds half of a character, which is no text.", path=path) from None


# ---------------------------------------------------------------- decoding


def decode_client(frame: bytes) -> ClientMessage:
    """Unpack what a client sent.

    Raises:
        BridgeError: ``frame_too_large bad_frame unknown_type unknown_field missing_field wrong_type out_of_range
            text_too_long``.
    """
    return cast(ClientMessage, _decode(frame, CLIENT_MESSAGES, strict=True))


def decode_server(frame: bytes) -> ServerMessage:
    """Unpack what a server sent, but for fields that are not known. Raises as :func:`decode_client` otherwise."""
    return cast(ServerMessage, _decode(frame, SERVER_MESSAGES, strict=False))


def decode_recipe(plain: object) -> Recipe:
    """A recipe from what ``dataclasses.asdict`` made of it, as a host keeps it with a layer, through JSON. Fields that
    are not known are left out: a later bridge may have written it. Raises as :func:`decode_client`.
    """
    return cast(Recipe, _build(Recipe, plain, "recipe", strict=False))


def decode_entry(plain: object) -> LibraryEntry:
    """An entry of the library, likewise."""
    return cast(LibraryEntry, _build(LibraryEntry, plain, "entry", strict=False))


def _decode(frame: bytes, messages: Mapping[str, type[Any]], *, strict: bool) -> Any:
    if len(frame) > FRAME_BYTES:
        raise BridgeError("frame_too_large")
    put = _decode_put(frame)
    if put is not None:
        return put
    plain = _unpack(frame)
    kind = plain.pop("type", None)
    if not isinstance(kind, str) or kind not in messages:
        raise BridgeError("unknown_type")
    return _build(messages[kind], plain, kind, strict)


def _decode_put(frame: bytes) -> Optional[Put]:
    """A chunk whose pixels are a view of the frame, where msgpack would copy them; None for every other frame."""
    head = _PUT_HEAD.match(frame)
    if head is None:
        return None
    size = len(frame) - head.end()
    if int.from_bytes(head[3], "big") != size or not 0 < size <= CHUNK_BYTES:
        return None
    number = head[2]
    offset = number[0] if len(number) == 1 else int.from_bytes(number[1:], "big")
    return Put(head[1].decode(), offset, cast(bytes, memoryview(frame)[head.end() :]))


def _unpack(frame: bytes) -> dict[str, Any]:
    try:
        plain = msgpack.unpackb(
            frame,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=_unique_keys,
            # What is too long is told by its field; the frame bounds the memory.
            max_str_len=FRAME_BYTES,
            max_bin_len=FRAME_BYTES,
            max_array_len=_NESTED_ITEMS,
            max_map_len=_NESTED_ITEMS,
            max_ext_len=0,
        )
    except BridgeError:
        raise
    # For bytes that are not msgpack it raises ValueError, kinds of its own, UnicodeDecodeError, RecursionError, ...
    except Exception as error:  # noqa: BLE001
        too_many = _TOO_MANY.match(str(error))
        # A count that the frame could hold is no broken frame.
        if too_many and int(too_many[1]) < len(frame):
            raise BridgeError(
                "out_of_range",
                "The message has a list or map of {count} entries; {most} are the most.",
                count=too_many[1],
                most=_NESTED_ITEMS,
            ) from None
        raise BridgeError("bad_frame") from None
    if not isinstance(plain, dict):
        raise BridgeError("bad_frame")
    return plain


def _unique_keys(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs) or not all(isinstance(key, str) for key in result):
        raise BridgeError("bad_frame")
    return result


def _build(cls: type[Any], plain: Any, path: str, strict: bool) -> Any:
    if not isinstance(plain, dict):
        raise _wrong_type(path, "a map")
    specs = field_specs(cls)  # type: ignore[arg-type]
    if strict and not plain.keys() <= {spec.name for spec in specs}:
        raise BridgeError("unknown_field", "{path} has a field that is not in the protocol.", path=path)
    values: dict[str, Any] = {}
    for spec in specs:
        where = f"{path}.{spec.name}"
        if spec.name in plain:
            values[spec.name] = _convert(plain[spec.name], spec.kind, spec.metadata, where, strict)
        elif spec.required:
            raise BridgeError("missing_field", "{where} is missing.", where=where)
    return cls(**values)


def _convert(value: Any, kind: Any, limits: Mapping[str, Any], path: str, strict: bool) -> Any:
    origin = get_origin(kind)
    if origin is Union:
        kinds = [arg for arg in get_args(kind) if arg is not type(None)]
        if value is None and len(kinds) < len(get_args(kind)):
            return None
        fits = (arg for arg in kinds if type(value) is (dict if is_dataclass(arg) else arg))
        return _convert(value, next(fits, kinds[0]), limits, path, strict)
    if kind is Sentence:
        return cast(WireSentence, _build(WireSentence, value, path, strict)).sentence()
    if origin is tuple:
        return _convert_list(value, get_args(kind)[0], limits, path, strict)
    if origin is dict:
        return _convert_map(value, get_args(kind)[1], limits, path, strict)
    if is_dataclass(kind):
        return _build(cast(type[Any], kind), value, path, strict)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _convert_name(value, kind, path)
    if kind is float and type(value) is int:
        value = _to_float(value, path)
    if type(value) is not kind:
        raise _wrong_type(path, _KIND_NAMES[kind])
    if kind is float and not math.isfinite(value):
        raise BridgeError("out_of_range", "{path} is not a finite number.", path=path)
    if kind in (int, float):
        _check_range(value, limits, path, "")
    elif kind is str:
        _check_text(value, limits, path)
    elif kind is bytes:
        _check_range(len(value), limits, path, "length of ")
    return value


def _convert_name(value: Any, kind: type[Enum], path: str) -> Enum:
    if type(value) is not str:
        raise _wrong_type(path, _KIND_NAMES[str])
    try:
        return kind(value)
    except ValueError:
        names = ", ".join(name.value for name in kind)
        raise BridgeError("out_of_range", "{path} must be one of: {names}.", path=path, names=names) from None


def _convert_list(value: Any, kind: Any, limits: Mapping[str, Any], path: str, strict: bool) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong_type(path, "a list")
    _check_range(len(value), limits, path, "length of ")
    return tuple(_convert(item, kind, {}, f"{path}[{index}]", strict) for index, item in enumerate(value))


def _convert_map(value: Any, kind: Any, limits: Mapping[str, Any], path: str, strict: bool) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong_type(path, "a map")
    _check_range(len(value), limits, path, "length of ")
    path += "[...]"
    if path.count("[...]") > _NESTED_MAPS:
        raise BridgeError("out_of_range", "{path} is nested too deeply.", path=path)
    return {key: _convert(item, kind, {}, path, strict) for key, item in value.items()}


def _to_float(value: int, path: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise BridgeError("out_of_range", "{path} is too large.", path=path) from None


def _check_range(value: Union[int, float], limits: Mapping[str, Any], path: str, prefix: str) -> None:
    low, high = limits.get("min"), limits.get("max")
    if (low is not None and value < low) or (high is not None and value > high):
        raise BridgeError(
            "out_of_range",
            "The {prefix}{path} must lie between {low} and {high}.",
            prefix=prefix,
            path=path,
            low=low or 0,
            high=_open(high),
        )


def _check_text(value: str, limits: Mapping[str, Any], path: str) -> None:
    """Artists write texts, and may write long ones; those of one length alone, such as hashes, they do not write."""
    high = limits.get("max")
    if high is not None and len(value) > high != limits.get("min"):
        words = path.rpartition(".")[2].partition("[")[0].replace("_", " ")
        raise BridgeError(
            "text_too_long",
            "The {words} is too long: it has {count} characters, and {high} are the most ({path}).",
            words=words,
            count=len(value),
            high=high,
            path=path,
        )
    _check_range(len(value), limits, path, "length of ")


def _open(high: Any) -> str:
    return "any number" if high is None else str(high)


def _wrong_type(path: str, wanted: str) -> BridgeError:
    return BridgeError("wrong_type", "{path} must be {wanted}.", path=path, wanted=wanted)


_KIND_NAMES: dict[Any, str] = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a text",
    bytes: "bytes",
}
