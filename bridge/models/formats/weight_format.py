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
    FP8_SCALED = "fp8 scaled"
    """Float8 times a scale, of the whole weight or of a row."""
    INT8 = "int8"
    """Whole numbers times a scale, of the whole weight or of a row."""
    CONVROT = "int8 ConvRot"
    """ComfyUI's int8, which may have been rotated before rounding."""
    NVFP4 = "nvfp4"
    """E2M1 times a float8 for each sixteen, times one float32."""
    GGUF = "GGUF"
    """Blocks of ggml's kinds."""
