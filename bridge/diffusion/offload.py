"""Where a module's weights stay: on the device, or outside it, from where each layer comes when it is used.

diffusers' group offloading moves the layers. It costs the way over the bus for each prediction, and spares nearly all
memory that weights take.
"""

from typing import Any

import psutil  # type: ignore[import-untyped]
from diffusers import hooks

from .device import Device

__all__ = ["place", "place_again"]

_hooks: Any = hooks
_HOOK = "group_offloading"
# What else diffusers lays where layers come ahead of their use.
_PREFETCHING = ("layer_execution_tracker", "lazy_prefetch_group_offloading")


def place(module: Any, device: Device, *, offloaded: bool, ahead: bool = False) -> Any:
    """The module, with its weights on the device or outside it; `place_again` places layers that are added later.

    `ahead`: each layer comes while the one before computes, where the device can do both at once. Only for modules that
    are called as a whole, in the same order each time.
    """
    if not offloaded:
        return module.to(device.torch_device)
    options = _ahead(module) if ahead and device.has_streams else {}
    _hooks.apply_group_offloading(module, onload_device=device.torch_device, offload_type="leaf_level", **options)
    return module


def place_again(module: Any, device: Device) -> None:
    """Puts layers that were added since where the others are."""
    registry = _hooks.HookRegistry.check_if_exists_or_initialize(module)
    found = [one._diffusers_hook.get_hook(_HOOK) for one in module.modules() if hasattr(one, "_diffusers_hook")]
    ours = [hook for hook in found if hook is not None]
    ahead = any(hook.group.stream is not None for hook in ours)
    for name in (_HOOK, *_PREFETCHING):
        registry.remove_hook(name, recurse=True)
    place(module, device, offloaded=bool(ours), ahead=ahead)


def _ahead(module: Any) -> dict[str, bool]:
    """diffusers' options. What waits is pinned in the machine's memory at once where there is plenty of it."""
    size = sum(weight.nbytes for weight in (*module.parameters(), *module.buffers()))
    return {
        "non_blocking": True,
        "use_stream": True,
        "record_stream": True,
        "low_cpu_mem_usage": bool(size > psutil.virtual_memory().available // 2),
    }
