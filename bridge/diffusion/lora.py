"""LoRAs on a checkpoint's parts (Hu et al. 2021, "LoRA"): loaded once, then put on and taken off at no cost.

peft lays each LoRA beside the weights that it changes, and never touches these: what is taken off leaves the checkpoint
as if it had never been loaded.
"""

import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer

from ..models import Lora, LoraUnsupported
from .device import Device, is_out_of_memory
from .lora_weights import LoraWeight, ModuleNames, read_weights
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

    def __init__(self, parts: Mapping[str, Any], device: Device, *, title: str, budget: int = _BUDGET) -> None:
        """`parts` are those that LoRAs change, by their names in a diffusers folder. `title` names the checkpoint."""
        self._parts = dict(parts)
        self._names = ModuleNames(parts)
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
                weights = read_weights(lora, self._names, self._device.torch_dtype, title=self._title, check=check)
                for part, of_part in weights.items():
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
            self._held[name] = tuple(weights)
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
            names = [name for name in strengths if name in layer.lora_A]
            layer.set_adapter(names, inference_mode=True)
            for name in names:
                layer.set_scale(name, strengths[name])

    def _laid_in(self, part: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = getattr(self._parts[part], "peft_config", {})
        return found

    def _bytes(self, name: str) -> int:
        layers = (layer for layer in self._layers() if name in layer.lora_A)
        return sum(side[name].weight.nbytes for layer in layers for side in (layer.lora_A, layer.lora_B))

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
        with _peft_keeping_quiet():
            for layer in self._layers():
                if name in layer.lora_A:
                    layer.delete_adapter(name)
        for model in self._parts.values():
            getattr(model, "peft_config", {}).pop(name, None)

    def _layers(self) -> Iterator[Any]:
        for model in self._parts.values():
            yield from (module for module in model.modules() if isinstance(module, BaseTunerLayer))

    def _lay(self, part: str, name: str, weights: Mapping[str, LoraWeight]) -> None:
        """Lays the LoRA beside the part's modules of these paths. Raises ValueError for a weight that was left out."""
        model = self._parts[part]
        states = {
            f"{path}.lora_{side}.weight": tensor
            for path, weight in weights.items()
            for side, tensor in (("A", weight.down), ("B", weight.up))
        }
        # All alphas are in the weights already: a product of up and down counts as it is. There is one pattern for each
        # rank, since peft tries them all on each layer.
        paths: dict[int, list[str]] = {}
        for path, weight in weights.items():
            paths.setdefault(weight.down.shape[0], []).append(re.escape(path))
        ranks = {f"^(?:{'|'.join(of_rank)})": rank for rank, of_rank in paths.items()}
        config = LoraConfig(rank_pattern=ranks, alpha_pattern=ranks, target_modules=list(weights))
        with _peft_keeping_quiet():
            inject_adapter_in_model(config, model, adapter_name=name, low_cpu_mem_usage=True, state_dict=states)
            set_peft_model_state_dict(model, states, adapter_name=name, low_cpu_mem_usage=True)
        self._check_all_laid(model, name, weights)
        place_again(model, self._device)
        for layer in self._layers():
            layer.set_adapter([], inference_mode=True)

    def _check_all_laid(self, model: Any, name: str, weights: Mapping[str, LoraWeight]) -> None:
        layers: Iterator[tuple[str, Any]] = (
            (path, module) for path, module in model.named_modules() if isinstance(module, BaseTunerLayer)
        )
        laid = {
            path: (layer.lora_A[name].weight, layer.lora_B[name].weight)
            for path, layer in layers
            if name in layer.lora_A
        }
        # peft only warns of what has no place, and leaves on no device what it was not given.
        missing = [path for path in weights if path not in laid or any(weight.is_meta for weight in laid[path])]
        if missing or len(laid) != len(weights):
            raise ValueError(f"{len(missing)} of {len(weights)} layers were not laid, {len(laid)} were")


@contextmanager
def _peft_keeping_quiet() -> Iterator[None]:
    """It warns of several LoRAs side by side, of one that leaves, and of configs that name fewer layers than files."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"peft\.")
        yield
