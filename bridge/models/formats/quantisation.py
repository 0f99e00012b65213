"""How the numbers of quantised weights are meant: scales beside them, and what ComfyUI writes down of a layer.

Beside `LAYER.weight` lie `LAYER.weight_scale` (older: `LAYER.scale_weight`), for nvfp4 also `LAYER.weight_scale_2`, and
`LAYER.comfy_quant`, bytes of JSON. What only the rounding of activations needs (`input_scale`, `scaled_fp8`) means
nothing here, where activations are not rounded.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointUnsupported
from ..json_files import parse_json
from .file_header import FileHeader
from .weight_format import WeightFormat

__all__ = ["COMFY", "SCALES", "ComfyQuant", "check_quantisation", "comfy_metadata", "format_of", "read_comfy_quant"]

SCALES = (".weight_scale", ".scale_weight")
"""What scales are called after a layer's name."""

COMFY = ".comfy_quant"
"""What ComfyUI's words on a layer are called after its name."""

_METADATA = "_quantization_metadata"
_MOST_METADATA = 16 << 20
# The most bytes that ComfyUI's JSON of a layer may have.
_MOST_JSON = 4096
_PLAIN = {
    "F64": WeightFormat.FLOAT64,
    "F32": WeightFormat.FLOAT32,
    "F16": WeightFormat.FLOAT16,
    "BF16": WeightFormat.BFLOAT16,
    "F8_E4M3": WeightFormat.FP8,
    "F8_E5M2": WeightFormat.FP8,
}
# ComfyUI's names of formats, with the kind of number that each is stored in.
_COMFY_FORMATS = {
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int8_tensorwise": "I8",
    "nvfp4": "U8",
}
# Groups of 4^n features, within what any layer has.
_GROUPS = (4, 16, 64, 256, 1024, 4096)
_HALF = "Get the same one in half precision, in plain fp8, or as GGUF."


@dataclass(frozen=True)
class ComfyQuant:
    """What ComfyUI says of a layer: its format, and by how many inputs it was rotated (ConvRot); 0: not."""

    format: str
    rotated: int = 0


def read_comfy_quant(content: bytes) -> ComfyQuant:
    """From the bytes of its JSON. Raises ValueError for what is none, or asks for what is not known here."""
    if len(content) > _MOST_JSON:
        raise ValueError("too long")
    said: Any = parse_json(content.decode("utf-8"))
    if not isinstance(said, dict) or said.get("format") not in _COMFY_FORMATS:
        raise ValueError("no such format")
    unknown = set(said) - {"format", "convrot", "convrot_groupsize", "full_precision_matrix_mult", "group_size"}
    if unknown:
        raise ValueError(f"unknown: {sorted(unknown)}")
    group = said.get("convrot_groupsize", 256) if said.get("convrot") else 0
    if group and (group not in _GROUPS or said["format"] != "int8_tensorwise"):
        raise ValueError("no such rotation")
    return ComfyQuant(said["format"], group)


def comfy_metadata(metadata: Mapping[str, str]) -> dict[str, bytes]:
    """What newer files of ComfyUI's say of their layers in their metadata, under the names of the tensors that older
    ones have. Raises ValueError for what is no such thing.
    """
    said = metadata.get(_METADATA)
    if said is None:
        return {}
    layers = parse_json(said)["layers"] if len(said) <= _MOST_METADATA else None
    if not isinstance(layers, dict):
        raise ValueError("no layers")  # noqa: TRY004 (as what is no JSON)
    return {layer + COMFY: json.dumps(one).encode() for layer, one in layers.items()}


def check_quantisation(path: Path, header: FileHeader, contents: Mapping[str, bytes]) -> None:
    """Raises CheckpointUnsupported for quantised weights whose meaning is not known here.

    `contents` are the bytes of the tensors whose names end in `.comfy_quant`.
    """
    try:
        layers = {**comfy_metadata(header.metadata), **contents}
    except (ValueError, KeyError, TypeError) as error:
        raise _unknown(path, _words_of(b""), _METADATA) from error
    for name, content in layers.items():
        try:
            said = read_comfy_quant(content)
        except ValueError as error:
            raise _unknown(path, _words_of(content), name) from error
        layer = name.removesuffix(COMFY)
        weight = header.shapes.get(f"{layer}.weight", ())
        rotates = said.rotated == 0 or (len(weight) == 2 and weight[1] % said.rotated == 0)
        if header.places.get(f"{layer}.weight", ("",))[0] != _COMFY_FORMATS[said.format] or not rotates:
            raise _unknown(path, _words_of(content), name)
        if said.format == "nvfp4":
            # ComfyUI lays its scales out otherwise than everybody else.
            raise _unknown(path, _words_of(content), name)
    for name, (kind, *_) in header.places.items():
        layer, _, last = name.rpartition(".")
        if kind == "I8" and last == "weight" and _scale_shape(header, layer) is None:
            raise CheckpointUnsupported(
                "{name} holds numbers of the kind {kind} ({tensor}), where floats belong.",
                hint=_HALF,
                name=path.name,
                kind=kind,
                tensor=name,
            )
        if last in ("weight_scale", "scale_weight") and not _fits(header, layer, header.shapes[name]):
            raise _unknown(path, "scaled weights", name)


def format_of(header: FileHeader, prefix: str = "") -> WeightFormat:
    """How most bytes of the tensors are written whose names begin with `prefix`."""
    bytes_of: Counter[WeightFormat] = Counter()
    for name, (kind, begin, end) in header.places.items():
        if name.startswith(prefix):
            bytes_of[_format_of_tensor(header, name, kind)] += end - begin
    return max(bytes_of, key=bytes_of.__getitem__, default=WeightFormat.FLOAT32)


def _format_of_tensor(header: FileHeader, name: str, kind: str) -> WeightFormat:
    layer = name.removesuffix(".weight")
    if header.is_gguf and kind not in _PLAIN:
        return WeightFormat.GGUF
    if kind == "I8":
        comfy = f"{layer}{COMFY}" in header.places or _METADATA in header.metadata
        return WeightFormat.CONVROT if comfy else WeightFormat.INT8
    if kind == "U8" and f"{layer}.weight_scale_2" in header.places:
        return WeightFormat.NVFP4
    if kind in ("F8_E4M3", "F8_E5M2") and _scale_shape(header, layer) is not None:
        return WeightFormat.FP8_SCALED
    return _PLAIN.get(kind, WeightFormat.FLOAT32)


def _scale_shape(header: FileHeader, layer: str) -> tuple[int, ...] | None:
    return next((header.shapes[layer + end] for end in SCALES if layer + end in header.shapes), None)


def _fits(header: FileHeader, layer: str, scale: tuple[int, ...]) -> bool:
    """Whether a scale is one number, one a row, or, for nvfp4, one for each sixteen numbers of a row."""
    weight = header.shapes.get(f"{layer}.weight")
    kind = header.places.get(f"{layer}.weight", ("",))[0]
    if weight is None or not weight:
        return False
    if kind == "U8":
        blocks = (weight[0], weight[-1] * 2 // 16)
        return len(weight) == 2 and scale == blocks and f"{layer}.weight_scale_2" in header.shapes
    if kind not in ("F8_E4M3", "F8_E5M2", "I8"):
        return False
    return scale in ((), (1,), (1, 1), (weight[0],), (weight[0], 1))


def _words_of(content: bytes) -> str:
    """What to call a format that is not read."""
    try:
        said = parse_json(content)
        return f"weights quantised by ComfyUI ({str(said['format'])[:40]})"
    except (ValueError, KeyError, TypeError):
        return "weights quantised by ComfyUI"


def _unknown(path: Path, what: str, tensor: str) -> CheckpointUnsupported:
    return CheckpointUnsupported(
        "{name} holds {what}, which Paintbridge does not read ({tensor}).",
        hint=_HALF,
        name=path.name,
        what=what,
        tensor=tensor,
    )
