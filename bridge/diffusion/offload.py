"""Where a module's weights stay: on the device, or outside it, from where each layer comes when it is used.

diffusers' group offloading moves the layers. It costs the way over the bus for each prediction, and spares nearly all
memory that weights take.
"""

from typing import Any

from diffusers import hooks

from .device import Device

__all__ = ["place", "place_again"]

_hooks: Any = hooks
_HOOK = "group_offloading"


def place(module: Any, device: Device, *, offloaded: bool) -> Any:
    """The module, with its weights on the device or outside it; `place_again` places layers that are added later."""
    if not offloaded:
        return module.to(device.torch_device)
    _hooks.apply_group_offloading(module, onload_device=device.torch_device, offload_type="leaf_level")
    return module


def place_again(module: Any, device: Device) -> None:
    """Puts layers that were added since where the others are."""
    registry = _hooks.HookRegistry.check_if_exists_or_initialize(module)
    offloaded = any(
        hasattr(one, "_diffusers_hook") and one._diffusers_hook.get_hook(_HOOK) is not None for one in module.modules()
    )
    registry.remove_hook(_HOOK, recurse=True)
    place(module, device, offloaded=offloaded)
