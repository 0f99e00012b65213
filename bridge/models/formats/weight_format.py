"""The number formats of weights, by the names that artists know them by."""

from enum import StrEnum

__all__ = ["WeightFormat"]


class WeightFormat(StrEnum):
    """How most of a part's weights are written."""

    FLOAT64 = "fp64"
    FLOAT32 = "fp32"
    FLOAT16 = "fp16"
    BFLOAT16 = "bf16"
    FP8 = "fp8"
    """Plain float8, e4m3fn or e5m2: numbers that are what they say."""

    @property
    def bytes_on_disk(self) -> float:
        """Bytes of a weight in a file."""
        return _BYTES[self]


_BYTES = {
    WeightFormat.FLOAT64: 8.0,
    WeightFormat.FLOAT32: 4.0,
    WeightFormat.FLOAT16: 2.0,
    WeightFormat.BFLOAT16: 2.0,
    WeightFormat.FP8: 1.0,
}
