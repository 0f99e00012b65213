"""A LoRA's weights from disk: what is added to each layer of the checkpoint, ready to be laid beside it."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ..models import Lora, LoraUnreadable, LoraUnsupported
from ..models.lora_kinds import LoraKind, LoraModule
from ..models.lora_scales import LoraScales, read_scales
from ..models.lora_tensors import read_lora
from .layer_names import LayerNames
from .lora_layers import (
    DecomposedChange,
    HadamardChange,
    KroneckerChange,
    LayerChange,
    LowRankChange,
    RowsChange,
    narrow_product,
)
from .packing import wide_weight

__all__ = ["read_changes"]

_GET_AGAIN = "Download or copy the file again."
# The norm of W + D that LyCORIS divides by, so that rows of zeros stay such.
_LEAST_NORM = torch.finfo(torch.float32).eps

Tensors = dict[str, torch.Tensor]


def read_changes(
    lora: Lora, names: LayerNames, dtype: torch.dtype, *, title: str, check: Callable[[], None]
) -> dict[str, dict[str, LayerChange]]:
    """What a LoRA adds, by part and by the path of the layer in it, in `dtype` on the CPU.

    Every tensor of the file is in there, or on the list of those without a meaning here. `title` names the checkpoint.
    `check` may raise to end the reading.

    Raises LoraUnreadable for a file that is broken, LoraUnsupported for one that changes what the checkpoint lacks or
    does not fit its layers.
    """
    header, tensors = read_lora(lora.path)
    scales = read_scales(lora.files, header.metadata, tensors.modules)
    strangers = [module.name for module in tensors.modules if not names.find(module)]
    if strangers:
        raise LoraUnsupported(
            "The LoRA {id} does not fit {title}: it changes {count} layers that are not there, such as {example}.",
            hint="Choose the checkpoint that it was made for, or take it out of the prompt.",
            id=lora.id,
            title=title,
            count=len(strangers),
            example=strangers[0],
        )
    found: dict[str, dict[str, LayerChange]] = {}
    try:
        with safe_open(lora.path, framework="pt") as file:
            for module in tensors.modules:
                check()
                # In float32, which holds all that the kinds of numbers in LoRA files can say, but for float64's last
                # digits.
                read = {role: file.get_tensor(name).float() for role, name in module.tensors.items()}
                if not all(map(_is_finite, read.values())):
                    raise LoraUnreadable(
                        "{name} is damaged: it holds numbers without end.", hint=_GET_AGAIN, name=lora.path.name
                    )
                part = names.part(module)
                for path, change in _changes(module, read, names, scales).items():
                    change = change.to(dtype)
                    if not all(map(_is_finite, change.parameters())):
                        raise LoraUnsupported(
                            "The LoRA {id} holds numbers that are too large for half precision.", id=lora.id
                        )
                    _add(found.setdefault(part, {}), path, change, lora)
    except (OSError, SafetensorError) as error:
        raise LoraUnreadable("{name} cannot be read.", hint=_GET_AGAIN, name=lora.path.name) from error
    return found


def _is_finite(tensor: torch.Tensor) -> bool:
    # A sum, which is quick, has infinity or NaN if there are any. Sums of sound numbers hardly ever have.
    return math.isfinite(tensor.sum(dtype=torch.float32)) or bool(torch.isfinite(tensor).all())


def _changes(module: LoraModule, read: Tensors, names: LayerNames, scales: LoraScales) -> dict[str, LayerChange]:
    """What is added to the layers that are a LoRA's module, by their paths. Raises ValueError where it does not fit."""
    part, paths = names.part(module), names.find(module)
    layers = [names.layer(part, path) for path in paths]
    if "alpha" in read:
        # Two whole matrices have no rank to hold it against (LyCORIS).
        scale = float(read["alpha"]) / module.rank if module.rank else 1.0
    else:
        scale = scales.of(module, paths[0])
    change = _MAKERS[module.kind](read, scale, convolution=isinstance(layers[0], torch.nn.Conv2d))
    wanted = _size(layers)
    if change.size not in (wanted, (wanted[0], math.prod(wanted[1:]))):
        raise ValueError(f"{change.size} is added to a layer of {wanted}")
    factor = _factor(read, change, layers) if module.decomposed else None
    if factor is None and len(paths) == 1:
        return {paths[0]: change}
    found: dict[str, LayerChange] = {}
    start = 0
    for path, layer in zip(paths, layers, strict=True):
        stop = start + _width_out(layer)
        of_layer = change if len(paths) == 1 else _rows(change, start, stop)
        if factor is not None:
            of_outputs = len(factor) != 1
            own = factor[start:stop] if of_outputs else factor
            of_layer = DecomposedChange(of_layer, _shaped(own, layer), of_outputs=of_outputs)
        found[path] = of_layer
        start = stop
    return found


def _lora(read: Tensors, scale: float, *, convolution: bool) -> LowRankChange:
    down, up = read["down"], read["up"]
    if "mid" in read:
        # A convolution of one pixel before another one is a single convolution.
        down = torch.einsum("mnhw,ni->mihw", read["mid"], down.flatten(1))
    # A linear layer is a convolution of one pixel, and some trainers take one for the other.
    if not convolution and down.shape[2:] == (1, 1):
        down = down.flatten(1)
    if convolution and down.dim() == 2:
        down = down[:, :, None, None]
    up = up.flatten(1)
    return LowRankChange(down=down, up=(up[:, :, None, None] if convolution else up) * scale)


def _loha(read: Tensors, scale: float, *, convolution: bool) -> HadamardChange:  # noqa: ARG001
    cores = {f"{name}_core": read[role] for name, role in (("first", "hada_t1"), ("second", "hada_t2")) if role in read}
    return HadamardChange(
        first_a=read["hada_w1_a"] * scale,
        first_b=read["hada_w1_b"],
        second_a=read["hada_w2_a"],
        second_b=read["hada_w2_b"],
        **cores,
    )


def _lokr(read: Tensors, scale: float, *, convolution: bool) -> KroneckerChange:  # noqa: ARG001
    first, second = (
        read[f"lokr_{side}"]
        if f"lokr_{side}" in read
        else narrow_product(read[f"lokr_{side}_a"], read[f"lokr_{side}_b"], read.get(f"lokr_t{side[1]}"))
        for side in ("w1", "w2")
    )
    return KroneckerChange(first=first * scale, second=second)


_MAKERS: dict[LoraKind, Callable[..., LayerChange]] = {
    LoraKind.LORA: _lora,
    LoraKind.LOHA: _loha,
    LoraKind.LOKR: _lokr,
}


def _rows(change: LayerChange, start: int, stop: int) -> LayerChange:
    if isinstance(change, LowRankChange):
        return LowRankChange(down=change.down.data, up=change.up.data[start:stop])
    return RowsChange(change, start, stop)


def _factor(read: Tensors, change: LayerChange, layers: Sequence[Any]) -> torch.Tensor:
    """What a DoRA's rows or columns of W + D are multiplied by, (out, 1) or (1, in).

    peft trains a magnitude for each row; LyCORIS' has the shape of what it is for, which by default are the columns.
    """
    weight = torch.cat([wide_weight(layer).float().cpu() for layer in layers])
    whole = weight + change.delta().reshape(weight.shape)
    magnitude: torch.Tensor = read["magnitude" if "magnitude" in read else "dora_scale"]
    of_columns = "magnitude" not in read and magnitude.dim() > 1 and len(magnitude) == 1
    norm: torch.Tensor = whole.transpose(0, 1 if of_columns else 0).flatten(1).norm(dim=1)
    if magnitude.numel() != norm.numel():
        raise ValueError(f"{magnitude.numel()} magnitudes for {norm.numel()} rows or columns")
    factor = magnitude.flatten() / (norm + _LEAST_NORM)
    return factor[None, :] if of_columns else factor[:, None]


def _shaped(factor: torch.Tensor, layer: Any) -> torch.Tensor:
    """As it multiplies the layer's outputs or inputs."""
    return factor.flatten()[:, None, None] if isinstance(layer, torch.nn.Conv2d) else factor.flatten()


def _width_out(layer: Any) -> int:
    return int(layer.out_channels if isinstance(layer, torch.nn.Conv2d) else layer.out_features)


def _size(layers: Sequence[Any]) -> tuple[int, ...]:
    """The shape of the weight of layers whose outputs stand one after the other."""
    first = layers[0]
    if isinstance(first, torch.nn.Conv2d):
        return sum(map(_width_out, layers)), first.in_channels // first.groups, *first.kernel_size
    return sum(map(_width_out, layers)), first.in_features


def _add(part: dict[str, LayerChange], path: str, change: LayerChange, lora: Lora) -> None:
    known = part.setdefault(path, change)
    # Some files hold the same layer under two names.
    if known is not change and not _same(known, change):
        raise LoraUnsupported("The LoRA {id} changes {path} twice, each time in another way.", id=lora.id, path=path)


def _same(one: LayerChange, other: LayerChange) -> bool:
    factors, others = dict(one.named_parameters()), dict(other.named_parameters())
    return factors.keys() == others.keys() and all(torch.equal(factors[name], others[name]) for name in factors)
