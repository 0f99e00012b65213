"""Which mixed precision a machine trains in."""

import torch

__all__ = ["AUTO", "has_bfloat16", "mixed_precision"]

AUTO = "auto"


def mixed_precision(wanted: str) -> str:
    """Accelerate's name of what is ``wanted``: "no", "bf16" or "fp16"; for "auto", what is fastest here and safe.

    A processor without instructions for bfloat16 takes many times longer in it. Apple's GPUs train in full precision.
    """
    if wanted != AUTO:
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if torch.xpu.is_available():
        return "bf16"
    if torch.backends.mps.is_available():
        return "no"
    return "bf16" if has_bfloat16() else "no"


def has_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
