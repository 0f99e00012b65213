"""A device with memory of its own, as a graphics card is one, for machines that have none: it paints on the CPU."""

from bridge.diffusion import Device

__all__ = ["APART", "waits"]


class _Apart(Device):
    has_memory = True


APART = _Apart("cpu", "test", 1 << 30, "float32", "Tests run on the CPU.")


def waits(part):
    """Whether the weights of a part are outside the device until they are used: all of them, or none."""
    hooked = [
        module
        for module in part.modules()
        if hasattr(module, "_diffusers_hook") and module._diffusers_hook.get_hook("group_offloading") is not None
    ]
    found = {id(weight) for module in hooked for weight in module.parameters(recurse=False)}
    assert not found or found == {id(weight) for weight in part.parameters()}
    return bool(found)
