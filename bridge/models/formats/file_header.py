"""What a file with tensors says about itself, of whichever container."""

from dataclasses import dataclass

__all__ = ["FileHeader"]


@dataclass(frozen=True)
class FileHeader:
    """Shapes by tensor name, the file's own metadata, and where each tensor lies: kind of number, first byte, end.

    Kinds are safetensors' (`F16`, `F8_E4M3` ...), or ggml's (`Q4_K` ...) where the file is GGUF.
    """

    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]
    places: dict[str, tuple[str, int, int]]
    is_gguf: bool = False
