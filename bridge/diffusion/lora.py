"""LoRAs on a checkpoint's parts (Hu et al. 2021, "LoRA"): loaded once, then put on and taken off at no cost.

Each lies beside the weights that it changes, and these are never touched: what is taken off leaves the checkpoint as if
it had never been loaded.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..models import Lora, LoraUnsupported
from .device import Device, is_out_of_memory
from .layer_names import LayerNames, Originals
from .lora_layers import AdaptedLayer, LayerChange
from .lora_weights import read_changes
from .model import WeightedLora
from .offload import place_again

__all__ = ["Adapters"]

# LoRAs that are held beside those that are set, in bytes: some dozens for SD1, a few for SDXL.
_BUDGET = 1 << 30
_MISFITS = (ValueError, KeyError, RuntimeError, TypeError, AttributeError, IndexError, NotImplementedError)


class Adapters:
    """The LoRAs of one checkpoint in memory, by content; those not set for longest leave first.

    They lie in the modules, of which text encoders may be shared with other checkpoints: what another one has laid
    there, or deleted, is found there.
    """

    def __init__(
        self,
        parts: Mapping[str, Any],
        device: Device,
        *,
        title: str,
        originals: Originals = {},  # noqa: B006
        budget: int = _BUDGET,
    ) -> None:
        """`parts` are those that LoRAs change, by their names in a diffusers folder: a denoiser, whose layers are
        called `originals` in files of the original layout, and text encoders. `title` names the checkpoint.
        """
        self._parts = dict(parts)
        self._names = LayerNames(parts, originals)
        self._device = device
        self._title = title
        self._budget = budget
        # The parts that each of them changes.
        self._held: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        for part in self._parts:
            for name in self._laid_in(part):
                self._held.setdefault(name, ())

    @property
    def held(self) -> int:
        """How many LoRAs are in memory."""
        return len(self._held)

    def load(self, lora: Lora, *, check: Callable[[], None]) -> str:
        """Has the LoRA in memory, not set; returns its name there. `check` may raise to end the loading.

        Raises LoraUnreadable for a file that is broken, LoraUnsupported for one that does not fit the checkpoint.
        """
        name = f"w{lora.content(check)}"
        parts = self._held.get(name, ())
        if not parts or any(name not in self._laid_in(part) for part in parts):
            try:
                changes = read_changes(lora, self._names, self._device.torch_dtype, title=self._title, check=check)
                for part, of_part in changes.items():
                    check()
                    if name not in self._laid_in(part):
                        self._lay(part, name, of_part)
            except BaseException as error:
                self._delete(name)
                if is_out_of_memory(error):
                    # Whoever tries again finds the room of all others.
                    for other in tuple(self._held):
                        self._delete(other)
                elif isinstance(error, _MISFITS):
                    raise LoraUnsupported(
                        "The LoRA {id} does not fit {title}: its layers are not those of this checkpoint.",
                        hint="Choose the checkpoint that it was made for, or take it out of the prompt.",
                        id=lora.id,
                        title=self._title,
                    ) from error
                raise
            self._held[name] = tuple(changes)
        self._held.move_to_end(name)
        return name

    def set_adapters(self, loras: Sequence[WeightedLora], *, check: Callable[[], None]) -> None:
        """From now on these are set, and no others; one of strength 0 is not. Raises as `load`."""
        strengths: dict[str, float] = {}
        for one in loras:
            if one.strength:
                name = self.load(one.lora, check=check)
                strengths[name] = strengths.get(name, 0.0) + one.strength
        self._let_go(strengths)
        for layer in self._layers():
            # In the prompt's order, so that sums do not depend on what was loaded first.
            layer.strengths = {name: one for name, one in strengths.items() if name in layer.changes}

    def _laid_in(self, part: str) -> set[str]:
        return {name for layer in _layers_of(self._parts[part]) for name in layer.changes}

    def _bytes(self, name: str) -> int:
        return sum(
            weight.nbytes
            for layer in self._layers()
            if name in layer.changes
            for weight in layer.changes[name].parameters()
        )

    def _let_go(self, used: Mapping[str, float]) -> None:
        """Frees LoRAs that are not set until the others fit the budget."""
        sizes = {name: self._bytes(name) for name in self._held}
        for name in [name for name in self._held if name not in used]:
            if sum(sizes.values()) <= self._budget:
                return
            self._delete(name)
            del sizes[name]

    def _delete(self, name: str) -> None:
        self._held.pop(name, None)
        for layer in self._layers():
            layer.strengths.pop(name, None)
            if name in layer.changes:
                del layer.changes[name]

    def _layers(self) -> Iterator[AdaptedLayer]:
        for model in self._parts.values():
            yield from _layers_of(model)

    def _lay(self, part: str, name: str, changes: Mapping[str, LayerChange]) -> None:
        """Lays a LoRA's changes beside the layers of the part that have these paths."""
        model = self._parts[part]
        for path, change in changes.items():
            layer = model.get_submodule(path)
            if not isinstance(layer, AdaptedLayer):
                layer = AdaptedLayer(layer)
                model.set_submodule(path, layer)
            layer.changes[name] = change
        place_again(model, self._device)


def _layers_of(model: Any) -> Iterator[AdaptedLayer]:
    yield from (module for module in model.modules() if isinstance(module, AdaptedLayer))
