"""LoHa, LoKr and DoRA files of seeded random weights, and what they add by the papers' formulas, spelled out."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

__all__ = ["KINDS", "decomposed", "kind_of_change", "save_module"]

Tensors = dict[str, torch.Tensor]


def _random(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=generator) * 0.3


def _core(core: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """LyCORIS' Tucker decomposition: core x first x second."""
    return torch.einsum("ijkl,jr,ip->prkl", core, second, first)


def _lora(g: torch.Generator, shape: tuple[int, ...], alpha: float) -> tuple[Tensors, torch.Tensor]:
    down, up = _random(g, 4, *shape[1:]), _random(g, shape[0], 4, *(1 for _ in shape[2:]))
    return {"lora_down.weight": down, "lora_up.weight": up}, alpha / 4 * torch.einsum(
        "or,r...->o...", up.flatten(1), down
    )


def _loha(g: torch.Generator, shape: tuple[int, ...], alpha: float) -> tuple[Tensors, torch.Tensor]:
    inputs = shape[1:].numel() if isinstance(shape, torch.Size) else torch.Size(shape[1:]).numel()
    a, b, c, d = _random(g, shape[0], 3), _random(g, 3, inputs), _random(g, shape[0], 3), _random(g, 3, inputs)
    tensors = {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d}
    return tensors, alpha / 3 * ((a @ b) * (c @ d)).reshape(shape)


def _loha_core(g: torch.Generator, shape: tuple[int, ...], alpha: float) -> tuple[Tensors, torch.Tensor]:
    out, inputs, *pixels = shape
    a, b, c, d = _random(g, 3, out), _random(g, 3, inputs), _random(g, 3, out), _random(g, 3, inputs)
    one, other = _random(g, 3, 3, *pixels), _random(g, 3, 3, *pixels)
    tensors = {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d, "hada_t1": one, "hada_t2": other}
    return tensors, alpha / 3 * _core(one, a, b) * _core(other, c, d)


def _kron(first: torch.Tensor, second: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Element by element: D[l k + a, m n + b] = first[l, m] second[a, b]."""
    blocks = first[:, None, :, None, None] * second.flatten(2 if second.dim() > 2 else 1).reshape(
        1, len(second), 1, second.shape[1], -1
    )
    return blocks.reshape(shape)


def _lokr(g: torch.Generator, shape: tuple[int, ...], alpha: float) -> tuple[Tensors, torch.Tensor]:
    """Both whole, so that alpha means nothing."""
    first, second = _random(g, 4, 2), _random(g, shape[0] // 4, shape[1] // 2, *shape[2:])
    return {"lokr_w1": first, "lokr_w2": second}, _kron(first, second, shape)


def _lokr_narrow(g: torch.Generator, shape: tuple[int, ...], alpha: float) -> tuple[Tensors, torch.Tensor]:
    first_a, first_b = _random(g, 4, 2), _random(g, 2, 2)
    pixels = torch.Size(shape[2:]).numel()
    second_a, second_b = _random(g, shape[0] // 4, 2), _random(g, 2, shape[1] // 2 * pixels)
    tensors = {"lokr_w1_a": first_a, "lokr_w1_b": first_b, "lokr_w2_a": second_a, "lokr_w2_b": second_b}
    second = (second_a @ second_b).reshape(shape[0] // 4, shape[1] // 2, *shape[2:])
    return tensors, alpha / 2 * _kron(first_a @ first_b, second, shape)


def _lokr_core(g: torch.Generator, shape: tuple[int, ...], alpha: float) -> tuple[Tensors, torch.Tensor]:
    first, core = _random(g, 4, 2), _random(g, 2, 2, *shape[2:])
    second_a, second_b = _random(g, 2, shape[0] // 4), _random(g, 2, shape[1] // 2)
    tensors = {"lokr_w1": first, "lokr_w2_a": second_a, "lokr_w2_b": second_b, "lokr_t2": core}
    return tensors, alpha / 2 * _kron(first, _core(core, second_a, second_b), shape)


KINDS: dict[str, Any] = {
    "LoRA": _lora,
    "LoHa": _loha,
    "LoHa with cores": _loha_core,
    "LoKr": _lokr,
    "LoKr of narrow products": _lokr_narrow,
    "LoKr with a core": _lokr_core,
}
"""Makers of a module's tensors, by their names' ends, and of what they add to its weight of that shape."""


def kind_of_change(kind: str, shape: tuple[int, ...], *, seed: int = 0) -> tuple[Tensors, torch.Tensor]:
    """The tensors of one module by the ends of their names, alpha among them, and what they add."""
    tensors, delta = KINDS[kind](torch.Generator().manual_seed(seed), tuple(shape), 1.5)
    return {**tensors, "alpha": torch.tensor(1.5)}, delta


def decomposed(
    weight: torch.Tensor, delta: torch.Tensor, axis: str, *, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """A DoRA's magnitudes as LyCORIS shapes them, of "rows" or "columns", and the weight that it makes of `weight`."""
    whole = weight + delta
    kept = 0 if axis == "rows" else 1
    over = [dim for dim in range(whole.dim()) if dim != kept]
    norm = whole.pow(2).sum(dim=over, keepdim=True).sqrt()
    generator = torch.Generator().manual_seed(seed)
    magnitude = norm * (1 + 0.3 * torch.randn(norm.shape, generator=generator))
    return magnitude, magnitude * whole / norm


def save_module(path: Path, modules: dict[str, Tensors]) -> Path:
    """Writes modules' tensors, by the modules' names in the file, as a LoRA for SDXL; returns `path`."""
    named = {f"{module}.{end}": tensor for module, tensors in modules.items() for end, tensor in tensors.items()}
    said = {"ss_base_model_version": "sdxl_base_v1-0"}
    save_file({name: tensor.contiguous() for name, tensor in named.items()}, path, metadata=said)
    return path
