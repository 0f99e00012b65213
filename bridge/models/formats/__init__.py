"""The number formats that weights lie on disk in, told by a file's header. What they mean is in `bridge.diffusion`.

A module each for what a header does not say by itself.
"""

from .weight_format import WeightFormat

__all__ = ["WeightFormat"]
