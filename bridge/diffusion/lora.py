"""LoRAs on a checkpoint's parts (Hu et al. 2021, "LoRA"): loaded once, then put on and taken off at no cost.

peft lays each LoRA beside the weights that it changes, and never touches these: what is taken off leaves the checkpoint
as if it had never been loaded. diffusers knows the trainers' names for the layers.
"""

import json
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.loaders.lora_pipeline import StableDiffusionLoraLoaderMixin
from diffusers.utils.peft_utils import delete_adapter_layers
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError, safe_open

from ..models import Lora, LoraUnreadable, LoraUnsupported
from .device import Device, is_out_of_memory
from .placement import place_again

__all__ = ["Adapters", "WornLora"]

_loader: Any = StableDiffusionLoraLoaderMixin
_delete_layers: Any = delete_adapter_layers
# LoRAs that are held beside those that are worn, in bytes: some dozens for SD1, a few for SDXL.
_BUDGET = 1 << 30
_MISFITS = (ValueError, KeyError, RuntimeError, TypeError, AttributeError, IndexError, NotImplementedError)
_GET_AGAIN = "Download or copy the file again."


@dataclass(frozen=True)
class WornLora:
    """A LoRA and how much of it."""

    lora: Lora
    strength: float

    @property
    def key(self) -> tuple[str, float]:
        """What tells it from others: its content, and how much."""
        return self.lora.hash, self.strength


class Adapters:
    """The LoRAs of one checkpoint in memory, by content; those not worn for longest leave first."""

    def __init__(self, parts: Mapping[str, Any], device: Device, *, title: str, budget: int = _BUDGET) -> None:
        """`parts` are those that LoRAs change, by their names in a diffusers folder. `title` names the checkpoint."""
        self._parts = dict(parts)
        self._device = device
        self._title = title
        self._budget = budget
        self._held: OrderedDict[str, int] = OrderedDict()

    @property
    def held(self) -> int:
        """How many LoRAs are in memory."""
        return len(self._held)

    def load(self, lora: Lora, *, check: Callable[[], None]) -> str:
        """Has the LoRA in memory, not worn; returns its name there. `check` may raise to end the loading.

        Raises LoraUnreadable for a file that is broken, LoraUnsupported for one that does not fit the checkpoint.
        """
        name = f"w{lora.content(check)}"
        if name not in self._held:
            try:
                tensors = _read(lora)
                check()
                states, metadata = self._converted(lora, tensors)
                for part in self._parts:
                    check()
                    self._lay(part, name, states, metadata)
                self._check_all_laid(name, states)
            except BaseException as error:
                self._delete(name)
                if is_out_of_memory(error):
                    # Whoever tries again finds the room of all others.
                    for other in tuple(self._held):
                        self._delete(other)
                elif isinstance(error, _MISFITS):
                    raise LoraUnsupported(
                        f"The LoRA {lora.id} does not fit {self._title}: its layers are not those of this checkpoint.",
                        hint="Choose the checkpoint that it was made for, or take it out of the prompt.",
                    ) from error
                raise
            self._held[name] = sum(tensor.nbytes for tensor in states.values())
        self._held.move_to_end(name)
        return name

    def wear(self, loras: Sequence[WornLora], *, check: Callable[[], None]) -> None:
        """From now on these are worn, and no others; one of strength 0 is not. Raises as `load`."""
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

    def _let_go(self, worn: Mapping[str, float]) -> None:
        """Frees LoRAs that are not worn until the others fit the budget."""
        for name in [name for name in self._held if name not in worn]:
            if sum(self._held.values()) <= self._budget:
                return
            self._delete(name)

    def _delete(self, name: str) -> None:
        self._held.pop(name, None)
        with _peft_keeping_quiet():
            for model in self._parts.values():
                _delete_layers(model, name)

    def _layers(self) -> Iterator[Any]:
        for model in self._parts.values():
            yield from (module for module in model.modules() if isinstance(module, BaseTunerLayer))

    def _converted(
        self, lora: Lora, tensors: dict[str, torch.Tensor]
    ) -> tuple[dict[str, torch.Tensor], dict[str, Any] | None]:
        """The tensors by diffusers' names, in the device's precision, and what peft is told of them."""
        metadata = None
        if lora.layout == "kohya":
            tensors = _without_alphas(tensors)
            tensors, _ = _loader.lora_state_dict(tensors, unet_config=self._parts["unet"].config)
        elif lora.layout == "peft":
            tensors = {name.replace("base_model.model.", "unet.", 1): tensor for name, tensor in tensors.items()}
            metadata = _peft_config(lora)
        else:
            named = tuple(f"{part}." for part in self._parts)
            tensors = {name if name.startswith(named) else f"unet.{name}": one for name, one in tensors.items()}
            metadata = _said_by_diffusers(lora)
        dtype = self._device.torch_dtype
        return {name: tensor.to(dtype) for name, tensor in tensors.items()}, metadata

    def _lay(self, part: str, name: str, states: Mapping[str, torch.Tensor], metadata: dict[str, Any] | None) -> None:
        """Lays the LoRA beside the part's weights."""
        if not any(key.startswith(f"{part}.") for key in states):
            return
        model = self._parts[part]
        mine = None if metadata is None else {k: v for k, v in metadata.items() if k.startswith(f"{part}.")} or None
        options = {"adapter_name": name, "metadata": mine, "network_alphas": None, "low_cpu_mem_usage": True}
        with _peft_keeping_quiet():
            if part == "unet":
                _loader.load_lora_into_unet(dict(states), unet=model, **options)
            else:
                _loader.load_lora_into_text_encoder(dict(states), text_encoder=model, prefix=part, **options)
        place_again(model, self._device)
        for layer in self._layers():
            layer.set_adapter([], inference_mode=True)

    def _check_all_laid(self, name: str, states: Mapping[str, torch.Tensor]) -> None:
        # diffusers only warns of layers that have no place in the model.
        laid = sum(name in layer.lora_A for layer in self._layers())
        wanted = sum(".lora_A" in key or ".down." in key for key in states)
        if laid != wanted:
            raise ValueError(f"{wanted - laid} of {wanted} layers have no place")


@contextmanager
def _peft_keeping_quiet() -> Iterator[None]:
    """It warns of several LoRAs side by side, of one that leaves, and of configs that name fewer layers than files."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"peft\.")
        yield


def _read(lora: Lora) -> dict[str, torch.Tensor]:
    try:
        with safe_open(lora.path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise LoraUnreadable(f"{lora.path.name} cannot be read.", hint=_GET_AGAIN) from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values() if tensor.is_floating_point()):
        raise LoraUnreadable(f"{lora.path.name} is damaged: it holds numbers without end.", hint=_GET_AGAIN)
    return tensors


def _without_alphas(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """kohya's alpha over rank, which scales each layer, worked into the layer itself."""
    scaled = {name: tensor for name, tensor in tensors.items() if not name.endswith(".alpha")}
    for name, down in tensors.items():
        module, ending, _ = name.partition(".lora_down.weight")
        alpha = tensors.get(f"{module}.alpha")
        if ending and alpha is not None:
            scaled[f"{module}.lora_up.weight"] = tensors[f"{module}.lora_up.weight"].float() * (
                float(alpha) / down.shape[0]
            )
    return scaled


def _peft_config(lora: Lora) -> dict[str, Any] | None:
    """What peft wrote into `adapter_config.json` beside its file."""
    if len(lora.files) == 1:
        return None
    try:
        said = json.loads(lora.files[1].read_text(encoding="utf-8"))
        return {f"unet.{key}": value for key, value in said.items() if key in LoraConfig.__dataclass_fields__}
    except (OSError, ValueError, AttributeError) as error:
        raise LoraUnreadable(f"{lora.files[1].name} of {lora.id} cannot be read.", hint=_GET_AGAIN) from error


def _said_by_diffusers(lora: Lora) -> dict[str, Any] | None:
    """What diffusers wrote into the file's header, by part."""
    with safe_open(lora.path, framework="pt") as file:
        said = (file.metadata() or {}).get("lora_adapter_metadata")
    try:
        return dict(json.loads(said)) if said else None
    except (ValueError, TypeError) as error:
        raise LoraUnreadable(f"The header of {lora.path.name} cannot be read.", hint=_GET_AGAIN) from error
