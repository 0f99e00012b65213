"""What a file with tensors says in its header, without reading one: safetensors, or GGUF, told by its first bytes.

Format: https://github.com/huggingface/safetensors#format, eight bytes of header length (little-endian), the header as
JSON, then the tensors' bytes.
"""

import json
import math
import struct
from pathlib import Path

from .errors import CheckpointUnreadable
from .formats.file_header import FileHeader
from .formats.gguf import MAGIC, read_gguf_header
from .names import is_pickle

__all__ = ["FileHeader", "read_bytes", "read_floats", "read_header"]

_MAX_HEADER_BYTES = 100_000_000
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
        header = json.loads(text)
        metadata = header.pop("__metadata__", {})
        shapes = {name: tuple(int(edge) for edge in entry["shape"]) for name, entry in header.items()}
        first = 8 + length
        places = {
            name: (str(entry["dtype"]), first + int(entry["data_offsets"][0]), first + int(entry["data_offsets"][1]))
            for name, entry in header.items()
        }
        end = max((place[2] for place in places.values()), default=8 + length)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
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
    return FileHeader(shapes, metadata if isinstance(metadata, dict) else {}, places)


def read_bytes(path: Path, header: FileHeader, name: str) -> bytes:
    """The bytes of one tensor, which should be small."""
    _, begin, end = header.places[name]
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(end - begin)


def read_floats(path: Path, header: FileHeader, name: str) -> tuple[float, ...]:
    """The numbers of one tensor, which should be small.

    Raises CheckpointUnreadable where they are no floats.
    """
    kind, content = header.places[name][0], read_bytes(path, header, name)
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
