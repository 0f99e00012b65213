"""What a safetensors file says about itself in its header, without reading a single tensor.

Format: https://github.com/huggingface/safetensors#format, eight bytes of header length (little-endian), the header as
JSON, then the tensors' bytes.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

from .errors import CheckpointUnreadable
from .names import is_pickle

__all__ = ["SafetensorsHeader", "read_floats", "read_header"]

_MAX_HEADER_BYTES = 100_000_000
_ARCHIVE_OF_PICKLES = b"PK\x03\x04"
_GET_AGAIN = "Download or copy the file again."


@dataclass(frozen=True)
class SafetensorsHeader:
    """Shapes by tensor name, the file's free-form metadata, and where each tensor lies: kind, first byte, end."""

    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]
    places: dict[str, tuple[str, int, int]]


def read_header(path: Path) -> SafetensorsHeader:
    """Reads and checks the header of the safetensors file at `path`, whatever its name ends in.

    Raises CheckpointUnreadable for a pickle, a truncated file, or one that is no safetensors at all.
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
    except OSError as error:
        raise CheckpointUnreadable(f"{path.name} cannot be read.", hint="Check the file's permissions.") from error
    if not plausible:
        raise _not_safetensors(path, start)
    if len(text) < length:
        raise CheckpointUnreadable(f"{path.name} is truncated: it ends inside its header.", hint=_GET_AGAIN)
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
        raise CheckpointUnreadable(f"{path.name} has a damaged header.", hint=_GET_AGAIN) from error
    if not shapes:
        raise CheckpointUnreadable(f"{path.name} holds no tensors.", hint=_GET_AGAIN)
    if size != end:
        state = "is truncated" if size < end else "is longer than its header says"
        raise CheckpointUnreadable(
            f"{path.name} {state}: it has {size:,} bytes where {end:,} are needed.", hint=_GET_AGAIN
        )
    return SafetensorsHeader(shapes, metadata if isinstance(metadata, dict) else {}, places)


def read_floats(path: Path, header: SafetensorsHeader, name: str) -> tuple[float, ...]:
    """The numbers of one tensor, which should be small.

    Raises CheckpointUnreadable where they are not F16, BF16 or F32.
    """
    kind, begin, end = header.places[name]
    with path.open("rb") as file:
        file.seek(begin)
        content = file.read(end - begin)
    if kind == "BF16":
        # The upper half of a float32.
        content = b"".join(b"\0\0" + content[at : at + 2] for at in range(0, len(content), 2))
    letter = {"F16": "e", "BF16": "f", "F32": "f"}.get(kind)
    if letter is None:
        raise CheckpointUnreadable(f"{path.name} holds {kind} numbers where floats belong.", hint=_GET_AGAIN)
    return struct.unpack(f"<{len(content) // struct.calcsize(letter)}{letter}", content)


def _not_safetensors(path: Path, start: bytes) -> CheckpointUnreadable:
    if start.startswith(_ARCHIVE_OF_PICKLES) or start[:1] == b"\x80" or is_pickle(path.name):
        return CheckpointUnreadable(
            f"{path.name} is a pickle, which can run code when it is opened, so it is not loaded.",
            hint="Get the same checkpoint as .safetensors.",
        )
    return CheckpointUnreadable(f"{path.name} is not a safetensors file.", hint=_GET_AGAIN)
