"""What jobs on the same pixels would compute again: prompts, infills and encoded contexts, kept by content."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

import numpy as np
import torch

__all__ = ["ResultCache"]

T = TypeVar("T")

_BUDGET = 256 * 1024 * 1024


class ResultCache:
    """Results by the content that they were made from, up to `budget` bytes; those not used for longest leave first.

    What is kept is shared: nobody may write to it.
    """

    def __init__(self, budget: int = _BUDGET) -> None:
        self._budget = budget
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(size for _, size in self._held.values())

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made for that key, made now unless it is held. What `make` raises leaves nothing behind."""
        if key in self._held:
            self._held.move_to_end(key)
            return cast(T, self._held[key][0])
        made = make()
        size = _bytes_of(made)
        if size <= self._budget:
            while self.size + size > self._budget:
                self._held.popitem(last=False)
            self._held[key] = (made, size)
        return made

    def free(self) -> None:
        """Lets go of everything."""
        self._held.clear()


def _bytes_of(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, torch.Tensor):
        return value.nbytes
    if is_dataclass(value):
        return sum(_bytes_of(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, (tuple, list)):
        return sum(map(_bytes_of, value))
    return 0
