"""What a GGUF file says about itself: its tensors and where they lie, without reading one.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian. Nothing that a file
says of sizes is believed before the file is seen to be as long: no memory is taken on its word.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..errors import CheckpointUnreadable, CheckpointUnsupported
from .file_header import FileHeader
from .llama_names import renamed

__all__ = ["BLOCKS", "MAGIC", "read_gguf_header"]

MAGIC = b"GGUF"

BLOCKS = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip
"""The kinds of numbers by ggml's: name, numbers in a block, bytes of a block."""

_VERSIONS = (2, 3)
_MOST_TENSORS, _MOST_VALUES, _MOST_DIMENSIONS = 1 << 16, 1 << 16, 4
_MOST_HEADER_BYTES, _MOST_NAME_BYTES = 64 << 20, 1 << 16
# How deep arrays of arrays may lie; writers use none.
_MOST_NESTING = 2
_DEFAULT_ALIGNMENT = 32
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_GET_AGAIN = "Download or copy the file again."
# ComfyUI-GGUF flattens tensors of more dimensions than blocks allow, and keeps their shape here.
_SHAPE_KEY = "comfy.gguf.orig_shape."


class _Damaged(Exception):
    """The header is not what a header must be."""


class _Tensor(NamedTuple):
    name: str
    shape: tuple[int, ...]
    kind: str
    offset: int
    size: int


class _Cursor:
    """Reads forward through a header, and never past what a header may take."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = min(size, _MOST_HEADER_BYTES)
        self.at = 0

    def take(self, count: int) -> bytes:
        if not 0 <= count <= self._left:
            raise _Damaged
        found = self._file.read(count)
        if len(found) < count:
            raise _Damaged
        self._left -= count
        self.at += count
        return found

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def text(self, most: int = _MOST_HEADER_BYTES) -> str:
        length = self.number("Q")
        if length > most:
            raise _Damaged
        return self.take(length).decode("utf-8", "replace")


def read_gguf_header(path: Path) -> FileHeader:
    """The header of the GGUF file at `path`, its texts as metadata.

    Raises CheckpointUnreadable for a damaged or truncated file, and CheckpointUnsupported for a version or a kind of
    numbers that is not read.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            found, metadata = _read(_Cursor(file, size), path)
    except (_Damaged, struct.error) as error:
        raise CheckpointUnreadable("{name} has a damaged header.", hint=_GET_AGAIN, name=path.name) from error
    end = max((one.offset + one.size for one in found), default=0)
    if size < end:
        raise CheckpointUnreadable(
            "{name} {state}: it has {size} bytes where {end} are needed.",
            hint=_GET_AGAIN,
            name=path.name,
            state="is truncated",
            size=f"{size:,}",
            end=f"{end:,}",
        )
    if not found:
        raise CheckpointUnreadable("{name} holds no tensors.", hint=_GET_AGAIN, name=path.name)
    return FileHeader(
        shapes={one.name: one.shape for one in found},
        metadata=metadata,
        places={one.name: (one.kind, one.offset, one.offset + one.size) for one in found},
        is_gguf=True,
    )


def _read(cursor: _Cursor, path: Path) -> tuple[list[_Tensor], dict[str, str]]:
    if cursor.take(4) != MAGIC:
        raise _Damaged
    version = cursor.number("I")
    if version not in _VERSIONS:
        raise CheckpointUnsupported(
            "{name} is a GGUF file of version {version}, which Paintbridge does not read.",
            hint="Get a newer file, or the same one as .safetensors.",
            name=path.name,
            version=version,
        )
    tensors, values = cursor.number("Q"), cursor.number("Q")
    if tensors > _MOST_TENSORS or values > _MOST_VALUES:
        raise _Damaged
    said: dict[str, Any] = {}
    for _ in range(values):
        key = cursor.text(_MOST_NAME_BYTES)
        said[key] = _value(cursor, cursor.number("I"))
    raw = [_described(cursor) for _ in range(tensors)]
    alignment = said.get("general.alignment", _DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 16:
        raise _Damaged
    first = -(-cursor.at // alignment) * alignment
    metadata = {key: value for key, value in said.items() if isinstance(value, str)}
    architecture = metadata.get("general.architecture", "")
    found = [_placed(one, first, said, path) for one in raw]
    return [one._replace(name=renamed(one.name, architecture)) for one in found], metadata


def _value(cursor: _Cursor, kind: int, depth: int = 0) -> Any:
    """A value: text, number, or a list of a few numbers; None for longer lists and lists of texts, which are passed."""
    if kind == _STRING:
        return cursor.text()
    if kind in _SCALARS:
        return cursor.number(_SCALARS[kind])
    if kind != _ARRAY or depth >= _MOST_NESTING:
        raise _Damaged
    inner, count = cursor.number("I"), cursor.number("Q")
    if inner in _SCALARS:
        content = cursor.take(count * struct.calcsize(f"<{_SCALARS[inner]}"))
        return list(struct.unpack(f"<{count}{_SCALARS[inner]}", content)) if count <= 2 * _MOST_DIMENSIONS else None
    read: Callable[[], Any] = cursor.text if inner == _STRING else lambda: _value(cursor, inner, depth + 1)
    for _ in range(count):
        read()
    return None


def _described(cursor: _Cursor) -> tuple[str, list[int], int, int]:
    name = cursor.text(_MOST_NAME_BYTES)
    dimensions = cursor.number("I")
    if dimensions > _MOST_DIMENSIONS:
        raise _Damaged
    # ggml names the fastest dimension first.
    shape = [cursor.number("Q") for _ in range(dimensions)][::-1]
    return name, shape, cursor.number("I"), cursor.number("Q")


def _placed(one: tuple[str, list[int], int, int], first: int, said: dict[str, Any], path: Path) -> _Tensor:
    name, shape, number, offset = one
    if number not in BLOCKS:
        raise CheckpointUnsupported(
            "{path} holds numbers of ggml's kind {kind} ({tensor}), which Paintbridge does not read.",
            hint="Get the same one as Q8_0 or Q4_K.",
            path=path.name,
            kind=number,
            tensor=name,
        )
    kind, block, bytes_of_block = BLOCKS[number]
    count = 1
    for edge in shape:
        count *= edge
    if count % block or not count:
        raise _Damaged
    own = said.get(_SHAPE_KEY + name)
    if isinstance(own, list) and own and all(isinstance(edge, int) and edge > 0 for edge in own):
        product = 1
        for edge in own:
            product *= edge
        if product != count:
            raise _Damaged
        shape = own
    return _Tensor(name, tuple(shape), kind, first + offset, count // block * bytes_of_block)
