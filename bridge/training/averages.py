"""A moving average of weights, put in the place of the weights for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

__all__ = ["averaged"]


@contextmanager
def averaged(module: nn.Module, averages: dict[str, Tensor]) -> Iterator[None]:
    """Within the context ``module`` has the averaged weights; afterwards its own again."""
    kept = {name: value.detach().clone() for name, value in module.named_parameters() if name in averages}
    module.load_state_dict(averages, strict=False)
    try:
        yield
    finally:
        module.load_state_dict(kept, strict=False)
