"""Fewer computations for nearly the same picture: what changes little from one prediction to the next is kept.

Two things are: the inner blocks' outputs (Ma et al. 2024, "DeepCache: Accelerating Diffusion Models for Free"), and by
how much the prompt changes the prediction, so that the half without it need not be computed (Castillo et al. 2023,
"Adaptive Guidance: Training-free Acceleration of Conditional Diffusion Models", section 4.2).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from .model import ModelInputs, PredictFn

__all__ = ["LEAST_FAST_STEPS", "DeepFeatures", "Shortcut"]

LEAST_FAST_STEPS = 8
"""Of fewer steps each changes too much."""
_FULL_EVERY = 4


@dataclass
class DeepFeatures:
    """What inner blocks gave at the last full prediction. `reused`: they give that again, and compute nothing."""

    reused: bool = False
    _outputs: dict[nn.Module, Any] = field(default_factory=dict)

    @contextmanager
    def kept(self, blocks: Iterable[nn.Module]) -> Iterator[None]:
        """Meanwhile these blocks' outputs are kept, or reused; of those for both prompts the second's."""
        earlier = [(block, block.__dict__.get("forward")) for block in blocks]
        try:
            for block, _ in earlier:
                block.forward = self._standing_in_for(block)
            yield
        finally:
            for block, forward in earlier:
                if forward is None:
                    del block.forward
                else:
                    block.forward = forward

    def _standing_in_for(self, block: nn.Module) -> Any:
        real = block.forward

        def forward(*args: Any, **options: Any) -> Any:
            if self.reused and block in self._outputs:
                batch = len(args[0] if args else options["hidden_states"])
                return _last(self._outputs[block], batch)
            self._outputs[block] = output = real(*args, **options)
            return output

        return forward


def _last(value: Any, count: int) -> Any:
    """The last so many of a batch, in tensors and in tuples of them."""
    if isinstance(value, tuple):
        return tuple(_last(one, count) for one in value)
    return value[-count:]


class Shortcut:
    """For the steps of one denoising: after the first two and before the last, three of four are short ones.

    Their predictions are about 0.2 times the work of full ones with Stable Diffusion 1.5.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._features = DeepFeatures()
        self._difference: torch.Tensor | None = None

    def short(self, step: int) -> bool:
        """Whether the step of that number, from 0, is a short one."""
        between = 2 <= step < self._steps - 1
        return self._steps >= LEAST_FAST_STEPS and between and step % _FULL_EVERY != 1

    def marked(self, at: ModelInputs, step: int) -> ModelInputs:
        """The inputs of a prediction in that step, with what is kept of the last full one."""
        self._features.reused = self.short(step)
        return replace(at, features=self._features)

    def keep(self, difference: torch.Tensor) -> None:
        """Remember by how much the prompt changed the prediction."""
        self._difference = difference

    def guided(self, at: ModelInputs, guidance: float, predict_fn: PredictFn) -> torch.Tensor:
        """A short prediction under classifier-free guidance, as the last full one was guided."""
        assert self._difference is not None
        return predict_fn(at) + (guidance - 1) * self._difference
