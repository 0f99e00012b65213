"""What a file with tensors says in its header, without reading one: safetensors, or GGUF, told by its first bytes.

Format: https://github.com/huggingface/safetensors#format, eight bytes of header length (little-endian), the header as
JSON, then the tensors' bytes.
"""

import math
import struct
from pathlib import Path

from .errors import CheckpointUnreadable
from .formats.file_header import FileHeader
from .formats.gguf import MAGIC, read_gguf_header
from .json_files import parse_json
from .names import is_pickle

__all__ = ["FileHeader", "read_bytes", "read_floats", "read_header"]

_MAX_HEADER_BYTES = 100_000_000
# Bytes of a number. Of kinds that are not here the library that reads them knows the size.
_WIDTHS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}
# Of one tensor: a matrix of some layer, and what tells of a whole file.
_MOST_BYTES, _MOST_BYTES_OF_FLOATS = 256 << 20, 1 << 20
_ARCHIVE_OF_PICKLES = b"PK\x03\x04"
_GET_AGAIN = "Download or copy the file again."


def read_header(path: Path) -> FileHeader:
    """Reads and checks the header of the file at `path`, whatever its name ends in.

    Raises CheckpointUnreadable for a pickle, a truncated file, or one that is neither safetensors nor GGUF, and as
    `read_gguf_header`.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            fits = len(start) == 8 and 2 <= length <= _MAX_HEADER_BYTES
            opening = file.read(1) if fits else b""
            plausible = opening == b"{"
            text = opening + file.read(length - 1) if plausible else b""
    except FileNotFoundError as error:
        raise CheckpointUnreadable("{where} is missing.", hint=_GET_AGAIN, where=path.name) from error
    except OSError as error:
        raise CheckpointUnreadable(
            "{path} cannot be read ({reason}).",
            hint="Check the file's permissions.",
            path=path.name,
            reason=error.strerror,
        ) from error
    if start.startswith(MAGIC):
        return read_gguf_header(path)
    if not plausible:
        raise _not_safetensors(path, start)
    if len(text) < length:
        raise CheckpointUnreadable("{name} is truncated: it ends inside its header.", hint=_GET_AGAIN, name=path.name)
    try:
        header = parse_json(text)
        metadata = header.pop("__metadata__", None) or {}
        shapes = {name: tuple(int(edge) for edge in entry["shape"]) for name, entry in header.items()}
        first = 8 + length
        places = {
            name: (str(entry["dtype"]), first + int(entry["data_offsets"][0]), first + int(entry["data_offsets"][1]))
            for name, entry in header.items()
        }
        end = max((place[2] for place in places.values()), default=8 + length)
        sound = all(_is_sound(shapes[name], *place, first) for name, place in places.items())
        if not sound or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("not as the format has it")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise CheckpointUnreadable("{name} has a damaged header.", hint=_GET_AGAIN, name=path.name) from error
    if not shapes:
        raise CheckpointUnreadable("{name} holds no tensors.", hint=_GET_AGAIN, name=path.name)
    if size != end:
        state = "is truncated" if size < end else "is longer than its header says"
        raise CheckpointUnreadable(
            "{name} {state}: it has {size} bytes where {end} are needed.",
            hint=_GET_AGAIN,
            name=path.name,
            state=state,
            size=f"{size:,}",
            end=f"{end:,}",
        )
    return FileHeader(shapes, metadata, places)


def _is_sound(shape: tuple[int, ...], kind: str, begin: int, end: int, first: int) -> bool:
    """Whether a tensor lies behind the header, and has as many bytes as its shape says."""
    size, width = end - begin, _WIDTHS.get(kind)
    if begin < first or size < 0 or min(shape, default=0) < 0:
        return False
    return width is None or size == math.prod(shape) * width


def read_bytes(path: Path, header: FileHeader, name: str) -> bytes:
    """The bytes of one tensor. Raises CheckpointUnreadable for more than 256 MiB."""
    return _read(path, header, name, _MOST_BYTES)


def _read(path: Path, header: FileHeader, name: str, most: int) -> bytes:
    _, begin, end = header.places[name]
    if end - begin > most:
        raise CheckpointUnreadable("{name} has a damaged header.", hint=_GET_AGAIN, name=path.name)
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(end - begin)


def read_floats(path: Path, header: FileHeader, name: str) -> tuple[float, ...]:
    """The numbers of one tensor. Raises CheckpointUnreadable where they are no floats, and for more than 1 MiB."""
    kind, content = header.places[name][0], _read(path, header, name, _MOST_BYTES_OF_FLOATS)
    if kind == "F8_E4M3":
        return tuple(map(_e4m3, content))
    if kind in ("BF16", "F8_E5M2"):
        # The upper half of a float32, or of a float16.
        width, kind = (2, "F32") if kind == "BF16" else (1, "F16")
        content = b"".join(bytes(width) + content[at : at + width] for at in range(0, len(content), width))
    letter = {"F16": "e", "F32": "f", "F64": "d"}.get(kind)
    if letter is None:
        raise CheckpointUnreadable(
            "{name} holds {kind} numbers where floats belong.", hint=_GET_AGAIN, name=path.name, kind=kind
        )
    return struct.unpack(f"<{len(content) // struct.calcsize(letter)}{letter}", content)


def _e4m3(byte: int) -> float:
    """Micikevicius et al. 2022, "FP8 Formats for Deep Learning": no infinities, and one NaN of each sign."""
    exponent, mantissa = byte >> 3 & 15, byte & 7
    if byte & 127 == 127:
        return math.nan
    size = mantissa * 2.0**-9 if exponent == 0 else (8 + mantissa) * 2.0 ** (exponent - 10)
    return -size if byte & 128 else size


def _not_safetensors(path: Path, start: bytes) -> CheckpointUnreadable:
    if start.startswith(_ARCHIVE_OF_PICKLES) or start[:1] == b"\x80" or is_pickle(path.name):
        return CheckpointUnreadable(
            "{name} is a pickle, which can run code when it is opened, so it is not loaded.",
            hint="Get the same checkpoint as .safetensors.",
            name=path.name,
        )
    return CheckpointUnreadable("{name} is neither safetensors nor GGUF.", hint=_GET_AGAIN, name=path.name)
