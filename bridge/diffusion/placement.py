"""Where a part's weights stay: on the device, or outside it, from where each layer comes when it is used.

diffusers' group offloading moves the layers. It costs the way over the bus for each look of the UNet, and spares nearly
all memory that weights take.
"""

from typing import Any

from diffusers import hooks

from .device import Device

__all__ = ["OUTSIDE", "place", "place_again"]

OUTSIDE: tuple[tuple[str, ...], ...] = (
    (),
    ("text_encoder", "text_encoder_2", "vae"),
    ("text_encoder", "text_encoder_2", "vae", "unet"),
)
"""What stays outside a device, step by step as its memory falls short: what a job uses once costs least."""

_hooks: Any = hooks
_HOOK = "group_offloading"


def place(part: Any, device: Device, *, outside: bool) -> Any:
    """The part, with its weights on the device or outside it; new ones may be laid in with `place_again`."""
    if not outside:
        return part.to(device.torch_device)
    _hooks.apply_group_offloading(part, onload_device=device.torch_device, offload_type="leaf_level")
    return part


def place_again(part: Any, device: Device) -> None:
    """Puts layers that were laid in since where the others are."""
    registry = _hooks.HookRegistry.check_if_exists_or_initialize(part)
    outside = any(
        hasattr(module, "_diffusers_hook") and module._diffusers_hook.get_hook(_HOOK) is not None
        for module in part.modules()
    )
    registry.remove_hook(_HOOK, recurse=True)
    place(part, device, outside=outside)
