"""What LoRAs add to a layer, and the layer that they lie beside: its own weights are never touched.

Each change is a matrix or convolution D that is added to the layer's own, W, kept as the narrow factors that it is made
of: Hu et al. 2021, "LoRA"; Hyeon-Woo et al. 2022, "FedPara" (LoHa); Yeh et al. 2024, "LyCORIS" (LoKr); Liu et al. 2024,
"DoRA". Changes of several kinds add up in one layer.
"""

from typing import Any

import torch
from torch import nn
from torch.nn.functional import conv2d, linear

__all__ = [
    "AdaptedLayer",
    "DecomposedChange",
    "HadamardChange",
    "KroneckerChange",
    "LayerChange",
    "LowRankChange",
    "RowsChange",
    "narrow_product",
]


class AdaptedLayer(nn.Module):
    """A linear or convolutional layer, and the changes that lie beside it, by the names of their LoRAs."""

    def __init__(self, base_layer: nn.Module) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.changes = nn.ModuleDict()
        self.strengths: dict[str, float] = {}
        """Those that are set, in the order in which they are added."""

    @property
    def weight(self) -> Any:
        """The layer's own."""
        return self.base_layer.weight

    @property
    def bias(self) -> Any:
        """The layer's own."""
        return self.base_layer.bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The layer's own outputs, and what is set times its strength."""
        result: torch.Tensor = self.base_layer(inputs)
        own = result
        for name, strength in self.strengths.items():
            change: Any = self.changes[name]
            result = result + change.added(inputs, own, self.base_layer) * strength
        return result


class LayerChange(nn.Module):
    """A change D of a layer's weight."""

    def __init__(self, **factors: torch.Tensor) -> None:
        super().__init__()
        for name, factor in factors.items():
            self.register_parameter(name, nn.Parameter(factor, requires_grad=False))

    @property
    def size(self) -> tuple[int, ...]:
        """The shape of `delta()`."""
        raise NotImplementedError

    def delta(self) -> torch.Tensor:
        """D itself, (out, in) or (out, in, height, width); a convolution's may lie flat, (out, in x height x width)."""
        raise NotImplementedError

    def apply_delta(self, inputs: torch.Tensor, layer: Any) -> torch.Tensor:
        """D of the inputs, as `layer` strides over them."""
        delta = self.delta()
        if isinstance(layer, nn.Conv2d):
            return conv2d(inputs, delta.reshape(len(delta), -1, *layer.kernel_size), **_strides(layer))
        return linear(inputs, delta.flatten(1))

    def added(self, inputs: torch.Tensor, own: torch.Tensor, layer: Any) -> torch.Tensor:  # noqa: ARG002
        """What is added at strength 1 to the outputs that are the layer's `own`."""
        return self.apply_delta(inputs, layer)


class LowRankChange(LayerChange):
    """A LoRA: D = up @ down, `down` (rank, in) or (rank, in, height, width), `up` (out, rank) or (out, rank, 1, 1)."""

    down: torch.Tensor
    up: torch.Tensor

    @property
    def size(self) -> tuple[int, ...]:
        return len(self.up), *self.down.shape[1:]

    def delta(self) -> torch.Tensor:
        return torch.einsum("or,r...->o...", self.up.flatten(1), self.down)

    def apply_delta(self, inputs: torch.Tensor, layer: Any) -> torch.Tensor:
        if isinstance(layer, nn.Conv2d):
            return conv2d(conv2d(inputs, self.down, **_strides(layer)), self.up)
        return linear(linear(inputs, self.down), self.up)


class HadamardChange(LayerChange):
    """A LoHa: D is the elementwise product of two narrow ones, each (out, rank) @ (rank, in).

    With cores (rank, rank, height, width) each is core x first x second, and the first factors lie turned.
    """

    first_a: torch.Tensor
    first_b: torch.Tensor
    second_a: torch.Tensor
    second_b: torch.Tensor

    @property
    def size(self) -> tuple[int, ...]:
        core = getattr(self, "first_core", None)
        if core is None:
            return len(self.first_a), self.first_b.shape[1]
        return self.first_a.shape[1], self.first_b.shape[1], *core.shape[2:]

    def delta(self) -> torch.Tensor:
        cores = getattr(self, "first_core", None), getattr(self, "second_core", None)
        return narrow_product(self.first_a, self.first_b, cores[0]) * narrow_product(
            self.second_a, self.second_b, cores[1]
        )


class KroneckerChange(LayerChange):
    """A LoKr: D is the Kronecker product of `first` (l, m) and `second` (k, n) or (k, n, height, width)."""

    first: torch.Tensor
    second: torch.Tensor

    @property
    def size(self) -> tuple[int, ...]:
        (rows, columns), (height, width, *pixels) = self.first.shape, self.second.shape
        return rows * height, columns * width, *pixels

    def delta(self) -> torch.Tensor:
        first = self.first.reshape(*self.first.shape, *[1] * (self.second.dim() - 2))
        return torch.kron(first, self.second)

    def apply_delta(self, inputs: torch.Tensor, layer: Any) -> torch.Tensor:
        """Without D: first (second X) for each block of the inputs, X (m, n)."""
        groups, width = self.first.shape[1], self.second.shape[1]
        if isinstance(layer, nn.Conv2d):
            count = len(inputs)
            second = self.second.reshape(len(self.second), -1, *layer.kernel_size)
            blocks = inputs.reshape(count * groups, -1, *inputs.shape[2:])
            blocks = conv2d(blocks, second, **_strides(layer))
            blocks = blocks.reshape(count, groups, *blocks.shape[1:])
            return torch.einsum("lm,bmkhw->blkhw", self.first, blocks).flatten(1, 2)
        blocks = linear(inputs.reshape(*inputs.shape[:-1], groups, width), self.second)
        return torch.einsum("lm,...mk->...lk", self.first, blocks).flatten(-2)


class RowsChange(LayerChange):
    """Some rows of a change: what it adds to one of several layers that are a single one where it was trained."""

    def __init__(self, whole: LayerChange, start: int, stop: int) -> None:
        super().__init__()
        self.whole = whole
        self.rows = slice(start, stop)

    @property
    def size(self) -> tuple[int, ...]:
        return self.rows.stop - self.rows.start, *self.whole.size[1:]

    def delta(self) -> torch.Tensor:
        return self.whole.delta()[self.rows]


class DecomposedChange(LayerChange):
    """A DoRA: W' = factor x (W + D), of each row (`of_outputs`) or column; what is added at strength s is s (W' - W).

    `factor` is the trained magnitude over the norm of W + D, which does not depend on the strength: (out,) or (in,), of
    a convolution (out, 1, 1) or (in, 1, 1). The strength counts as in the WebUI and in ComfyUI; peft's, which scales D
    before the norm is taken, would leave something of the LoRA at strength 0.
    """

    factor: torch.Tensor
    excess: torch.Tensor

    def __init__(self, change: LayerChange, factor: torch.Tensor, *, of_outputs: bool) -> None:
        # The difference from 1 is small, and the factor in half precision would lose it.
        super().__init__(factor=factor, excess=factor - 1)
        self.change = change
        self.of_outputs = of_outputs

    def added(self, inputs: torch.Tensor, own: torch.Tensor, layer: Any) -> torch.Tensor:
        if self.of_outputs:
            without_bias = own if layer.bias is None else own - _shaped(layer.bias, layer)
            return self.excess * without_bias + self.factor * self.change.apply_delta(inputs, layer)
        stretched: torch.Tensor = layer(self.excess * inputs)
        without_bias = stretched if layer.bias is None else stretched - _shaped(layer.bias, layer)
        return without_bias + self.change.apply_delta(self.factor * inputs, layer)


def narrow_product(first: torch.Tensor, second: torch.Tensor, core: torch.Tensor | None) -> torch.Tensor:
    """(out, rank) @ (rank, in); through a core (rank, rank, height, width), where the first is (rank, out)."""
    if core is None:
        return first @ second
    return torch.einsum("ijhw,io,jn->onhw", core, first, second).contiguous()


def _strides(layer: nn.Conv2d) -> dict[str, Any]:
    return {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation, "groups": layer.groups}


def _shaped(bias: torch.Tensor, layer: Any) -> torch.Tensor:
    return bias[:, None, None] if isinstance(layer, nn.Conv2d) else bias
