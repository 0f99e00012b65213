"""The linear and convolutional layers of a checkpoint's parts, by all names that LoRA files have for them."""

from collections.abc import Mapping
from typing import Any

import torch

from ..models.lora_kinds import DENOISER, LoraModule
from ..models.lora_tensors import flat_name

__all__ = ["LayerNames", "Originals"]

Originals = Mapping[str, tuple[str, ...]]
"""The denoiser's layers by their names in the original layout, with dots: the path in diffusers' module, or those of
several whose outputs, one after the other, are the original layer's."""


class LayerNames:
    """The layers of a checkpoint's parts by flat name (`flat_name`)."""

    def __init__(self, parts: Mapping[str, Any], originals: Originals) -> None:
        """`parts` are by their names in a diffusers folder; the one that is no text encoder is the denoiser."""
        self._denoiser = next((part for part in parts if not part.startswith("text_encoder")), "")
        self._layers: dict[str, dict[str, Any]] = {}
        self._paths: dict[str, dict[str, tuple[str, ...]]] = {}
        for part, model in parts.items():
            called = DENOISER if part == self._denoiser else part
            self._layers[part] = {
                path.removesuffix(".base_layer"): module
                for path, module in model.named_modules()
                if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))
            }
            self._paths[part] = {flat_name(called, path): (path,) for path in self._layers[part]}
        known = self._layers.get(self._denoiser, {})
        for name, paths in originals.items():
            if all(path in known for path in paths):
                self._paths[self._denoiser].setdefault(flat_name(DENOISER, name), paths)

    def part(self, module: LoraModule) -> str:
        """The part that a LoRA's module is in, by its name in a diffusers folder."""
        return self._denoiser if module.part == DENOISER else module.part

    def find(self, module: LoraModule) -> tuple[str, ...]:
        """The paths of the layers, in their part, that are the LoRA's module; none where the checkpoint has no such."""
        return self._paths.get(self.part(module), {}).get(module.name, ())

    def layer(self, part: str, path: str) -> Any:
        """The layer of that path, without what lies beside it."""
        return self._layers[part][path]
