"""Weights that are small in their files stay so in memory, and are widened layer by layer when they are used.

No number changes by it: a weight is packed only where widening gives, bit by bit, what was loaded.
"""

from collections.abc import Callable
from typing import Any

import torch
from diffusers import hooks
from torch import nn

from .conversion import Convert, named_as_in, stand_in
from .dequantisation import StoredWeight
from .tensor_reading import FileTensors

__all__ = ["forget_stored", "keep_stored", "pack", "packed", "wide_weight"]

_hooks: Any = hooks
_HOOK = "packed_weight"
_SCALES = "packed_scales"
_STORED = "_stored_weights"
_OTHER = -1
_WIDENED_AT_ONCE = 1 << 22
_KINDS = (torch.float8_e4m3fn, torch.float8_e5m2)
_LAYERS = (nn.Linear, nn.Conv2d)

Widen = Callable[[torch.Tensor, torch.Tensor | None, torch.dtype], torch.Tensor]


class _PackedWeight(hooks.ModelHook):  # type: ignore[misc]
    """Widens a layer's weight while the layer computes."""

    def __init__(self, widen: Widen, dtype: torch.dtype) -> None:
        super().__init__()
        self._widen = widen
        self._dtype = dtype
        self._kept: torch.Tensor | None = None

    def wide(self, module: Any) -> torch.Tensor:
        """The weight as it is computed with."""
        self._put_back(module)
        rows, scales = module.weight.data, getattr(module, _SCALES, None)
        at_once = max(1, _WIDENED_AT_ONCE // max(1, rows[0].numel()))
        if len(rows) <= at_once:
            return self._widen(rows, scales, self._dtype)
        # On the way weights are float32, for which there need be no room in a whole layer.
        first = self._widen(rows[:at_once], None if scales is None else scales[:at_once], self._dtype)
        wide = first.new_empty((len(rows), *first.shape[1:]))
        wide[:at_once] = first
        for start in range(at_once, len(rows), at_once):
            part = slice(start, start + at_once)
            wide[part] = self._widen(rows[part], None if scales is None else scales[part], self._dtype)
        return wide

    def pre_forward(self, module: Any, *args: Any, **options: Any) -> tuple[Any, Any]:
        wide = self.wide(module)
        self._kept = module.weight.data
        module.weight.data = wide
        return args, options

    def post_forward(self, module: Any, output: Any) -> Any:
        self._put_back(module)
        return output

    def _put_back(self, module: Any) -> None:
        """The narrow weight in the wide one's place, which stays there where the layer ran out of memory."""
        if self._kept is not None:
            module.weight.data = self._kept
            self._kept = None


class _Stored:
    """What a part's file held, until it is known whether its module is packed; no tensor of the module's."""

    def __init__(self, part: str, tensors: FileTensors, convert: Convert) -> None:
        self.part, self.weights, self.convert = part, tensors.stored, convert
        # Conversions look at all names.
        self.others = {name: stand_in(_OTHER, one) for name, one in tensors.plain.items()}

    def converted(self, tensors: dict[str, torch.Tensor], module: nn.Module) -> dict[str, torch.Tensor]:
        others = {name: one for name, one in self.others.items() if name not in tensors}
        return dict(named_as_in(module, self.part, {**others, **tensors}, self.convert))


def keep_stored(module: nn.Module, part: str, tensors: FileTensors, convert: Convert) -> None:
    """Has a module remember the quantised matrices that it was made from, by `convert`, for `pack`."""
    if tensors.stored:
        object.__setattr__(module, _STORED, _Stored(part, tensors, convert))


def forget_stored(module: nn.Module) -> None:
    """Lets go of what `keep_stored` kept."""
    if hasattr(module, _STORED):
        object.__delattr__(module, _STORED)


def pack(module: nn.Module) -> None:
    """Keeps the weights of all layers that lose nothing by it as they are in their file, in place."""
    stored = _by_place(module)
    forget_stored(module)
    for name, layer in module.named_modules():
        if not isinstance(layer, _LAYERS):
            continue
        weight, dtype = layer.weight.data, layer.weight.dtype
        if (found := stored.get(f"{name}.weight")) is not None and torch.equal(found.widened(dtype), weight):
            scales = None if found.scales is None else found.scales.clone()
            layer.register_buffer(_SCALES, scales, persistent=False)
            _lay(layer, found.rows.clone(), found.scheme.widened)
        elif (kept := _as_float8(weight)) is not None:
            _lay(layer, kept, lambda narrow, _, dtype: narrow.to(dtype))


def wide_weight(layer: Any) -> torch.Tensor:
    """A layer's weight as it computes with it, packed or not."""
    registry = getattr(layer, "_diffusers_hook", None)
    hook = registry.get_hook(_HOOK) if registry is not None else None
    weight: torch.Tensor = layer.weight.detach() if hook is None else hook.wide(layer)
    return weight


def packed(module: nn.Module) -> int:
    """How many weights of a module are packed."""
    layers = (one for one in module.modules() if isinstance(one, _LAYERS))
    return sum(
        one.out_features * one.in_features if isinstance(one, nn.Linear) else one.weight.numel()
        for one in layers
        if one.weight.dtype in (*_KINDS, torch.uint8)
    )


def _lay(layer: Any, weight: torch.Tensor, widen: Widen) -> None:
    registry = _hooks.HookRegistry.check_if_exists_or_initialize(layer)
    registry.register_hook(_PackedWeight(widen, layer.weight.dtype), _HOOK)
    layer.weight.data = weight


def _by_place(module: nn.Module) -> dict[str, StoredWeight]:
    """The stored matrices by where their rows went in the module: conversions cut and join along rows alone.

    Rows, scales and schemes are converted each for themselves. What was joined from several schemes is left out, and
    everything where that cannot be joined so.
    """
    kept: _Stored | None = getattr(module, _STORED, None)
    if kept is None:
        return {}
    weights = kept.weights
    schemes = list(dict.fromkeys(one.scheme for one in weights.values()))
    try:
        numbers = kept.converted(
            {name: torch.full((len(one.rows), 1), float(schemes.index(one.scheme))) for name, one in weights.items()},
            module,
        )
        rows = kept.converted({name: one.rows for name, one in weights.items()}, module)
        scaled = {name: one.scales for name, one in weights.items() if one.scales is not None}
        scales = kept.converted(scaled, module) if scaled else {}
    except RuntimeError:
        return {}
    found = {}
    for name, number in numbers.items():
        least, most = (int(one) for one in number.aminmax())
        if least == most != _OTHER:
            found[name] = StoredWeight(rows[name].contiguous(), scales.get(name), schemes[least])
    return found


def _as_float8(weight: torch.Tensor) -> torch.Tensor | None:
    for kind in _KINDS:
        kept = weight.to(kind)
        if torch.equal(kept.to(weight.dtype), weight):
            return kept
    return None
