"""The formats that weights lie on disk in, told by a file's header. How they become tensors is `bridge.diffusion`'s
subject (`dequantisation`).

A module each for a container or a way of quantising; imports no torch.
"""

from .file_header import FileHeader
from .quantisation import format_of
from .weight_format import WeightFormat

__all__ = ["FileHeader", "WeightFormat", "format_of"]
