"""Weights that are plain float8 in their files stay so in memory, and are widened layer by layer when they are used.

No number changes by it: float8 is kept only where every weight of a layer is one.
"""

from typing import Any

import torch
from diffusers import hooks
from torch import nn

__all__ = ["pack", "packed"]

_hooks: Any = hooks
_HOOK = "packed_weight"
_KINDS = (torch.float8_e4m3fn, torch.float8_e5m2)
_LAYERS = (nn.Linear, nn.Conv2d)


class _PackedWeight(hooks.ModelHook):  # type: ignore[misc]
    """Widens a layer's weight while the layer computes."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype
        self._kept: torch.Tensor | None = None

    def pre_forward(self, module: Any, *args: Any, **options: Any) -> tuple[Any, Any]:
        self._kept = module.weight.data
        module.weight.data = self._kept.to(self._dtype)
        return args, options

    def post_forward(self, module: Any, output: Any) -> Any:
        module.weight.data = self._kept
        self._kept = None
        return output


def pack(module: nn.Module) -> None:
    """Keeps as float8 the weights of all layers that lose nothing by it, in place."""
    for layer in module.modules():
        if isinstance(layer, _LAYERS) and (kept := _as_float8(layer.weight.data)) is not None:
            registry = _hooks.HookRegistry.check_if_exists_or_initialize(layer)
            registry.register_hook(_PackedWeight(layer.weight.dtype), _HOOK)
            layer.weight.data = kept


def packed(module: nn.Module) -> int:
    """How many weights of a module are packed."""
    return sum(weight.numel() for weight in module.parameters() if weight.dtype in _KINDS)


def _as_float8(weight: torch.Tensor) -> torch.Tensor | None:
    for kind in _KINDS:
        kept = weight.to(kind)
        if torch.equal(kept.to(weight.dtype), weight):
            return kept
    return None
