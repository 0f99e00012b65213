"""The array types that this room speaks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["AnyArray", "BoolArray", "FloatArray", "IndexArray"]

AnyArray = NDArray[Any]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int64]
