"""How a model's modules come into memory: read, aligned, placed, shared by content."""

from collections.abc import Callable, Hashable
from typing import Any

import diffusers
import torch
import transformers
from torch import nn

from ..models.memory import WHOLE, Offload, Placement
from .device import Device
from .offload import place
from .packing import forget_stored, pack

__all__ = ["ModuleLoader", "Offload", "Placement", "Share"]

diffusers.utils.logging.disable_progress_bar()
diffusers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()

# Bytes, as torch aligns what it allocates on a CPU.
_ALIGNMENT = 64

Share = Callable[[Hashable, Callable[[], nn.Module]], nn.Module]
"""The module of that content, loaded unless it is in memory."""


class ModuleLoader:
    """Loads the modules of one model onto a device.

    `check` is called before each module, and may raise to end the loading; `loaded` is told after each how many are
    there.
    """

    def __init__(
        self,
        device: Device,
        *,
        check: Callable[[], None],
        loaded: Callable[[int], None] = lambda _: None,
        placement: Placement = WHOLE,
        share: Share | None = None,
    ) -> None:
        self.device = device
        self.check = check
        self._loaded = loaded
        self._placement = placement
        self._share = share
        self._count = 0

    def __call__(
        self, read: Callable[[], Any], *, content: Callable[[], Hashable], dtype: torch.dtype, denoiser: bool = False
    ) -> Any:
        """The module that `read` gives, on the CPU and in `dtype`; what has the same `content()` is read once.

        A `denoiser` is used at every step, and so the last to be offloaded.
        """
        self.check()
        offloaded = self._placement.offload >= (Offload.ALL if denoiser else Offload.ALL_BUT_DENOISER)
        packed = self._placement.packed

        def load() -> Any:
            module = _aligned(read().eval().requires_grad_(False))
            if packed:
                pack(module)
            else:
                forget_stored(module)
            return place(module, self.device, offloaded=offloaded, ahead=denoiser)

        module = load() if self._share is None else self._share((content(), dtype, offloaded, packed), load)
        self._count += 1
        self._loaded(self._count)
        return module


def _aligned(module: Any) -> Any:
    """The module with its weights where torch would have put them itself.

    Weights that still lie in a file's mapped memory begin anywhere, and the last bits of a matrix product on a CPU
    depend on that: the same weights from a folder and from a single file must paint the same picture.
    """
    for weight in (*module.parameters(), *module.buffers()):
        if weight.device.type == "cpu" and weight.data_ptr() % _ALIGNMENT:
            weight.data = weight.data.clone()
    return module
