"""A LoRA's weights from disk, by the modules of the checkpoint that they change, ready to be laid beside these."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ..models import Lora, LoraUnreadable, LoraUnsupported
from ..models.lora_scales import LoraScales, read_scales
from ..models.lora_tensors import LoraModule, flat_name, read_lora

__all__ = ["LoraWeight", "ModuleNames", "read_weights"]

_GET_AGAIN = "Download or copy the file again."

# What the layers of a residual block are called in the original UNet.
_RESNET = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_OUTSIDE_BLOCKS = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}


@dataclass(frozen=True)
class LoraWeight:
    """One module's pair: `down`, (rank, in) or (rank, in, height, width), and `up`, (out, rank) or (out, rank, 1, 1).
    What is added to the module's weight is up @ down, all scales worked in.
    """

    down: torch.Tensor
    up: torch.Tensor

    def is_finite(self) -> bool:
        """Whether there is no infinity and no NaN in it."""
        for tensor in (self.down, self.up):
            # A sum, which is quick, has them if there are any. Sums of sound numbers hardly ever have.
            if not math.isfinite(tensor.sum(dtype=torch.float32)) and not bool(torch.isfinite(tensor).all()):
                return False
        return True


class ModuleNames:
    """The linear and convolutional modules of a checkpoint's parts, by all names that LoRA files have for them."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        """`parts` are by their names in a diffusers folder. What lies beside their weights already is left out."""
        self._modules: dict[str, dict[str, str]] = {}
        self._convolutional: set[tuple[str, str]] = set()
        for part, model in parts.items():
            originals = dict(_original_blocks(model)) if part == "unet" else {}
            names = self._modules[part] = {}
            for path, module in model.named_modules():
                if not isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)) or ".lora_" in path:
                    continue
                path = path.removesuffix(".base_layer")
                if isinstance(module, torch.nn.Conv2d):
                    self._convolutional.add((part, path))
                names[flat_name(part, path)] = path
                if part == "unet":
                    names[flat_name(part, _original_name(path, originals))] = path

    def find(self, module: LoraModule) -> str | None:
        """The module's path in its part; None where the checkpoint has no such module."""
        return self._modules.get(module.part, {}).get(module.name)

    def is_convolution(self, part: str, path: str) -> bool:
        """Whether that module is one."""
        return (part, path) in self._convolutional


def read_weights(
    lora: Lora, names: ModuleNames, dtype: torch.dtype, *, title: str, check: Callable[[], None]
) -> dict[str, dict[str, LoraWeight]]:
    """A LoRA's weights, by part and by the path of the module in it.

    Every tensor of the file is in there, or on the list of those without a meaning here. `title` names the checkpoint.
    `check` may raise to end the reading.

    Raises LoraUnreadable for a file that is broken, LoraUnsupported for one that changes what the checkpoint lacks.
    """
    header, tensors = read_lora(lora.path)
    scales = read_scales(lora.files, header.metadata)
    found: dict[str, dict[str, LoraWeight]] = {}
    paths = {(module.part, module.name): names.find(module) for module in tensors.modules}
    strangers = [name for (_, name), path in paths.items() if path is None]
    if strangers:
        raise LoraUnsupported(
            "The LoRA {id} does not fit {title}: it changes {count} layers that are not there, such as {example}.",
            hint="Choose the checkpoint that it was made for, or take it out of the prompt.",
            id=lora.id,
            title=title,
            count=len(strangers),
            example=strangers[0],
        )
    try:
        with safe_open(lora.path, framework="pt") as file:
            for module in tensors.modules:
                check()
                path = paths[module.part, module.name] or ""
                weight = _weight(file, module, scales, path, convolution=names.is_convolution(module.part, path))
                if not weight.is_finite():
                    raise LoraUnreadable(
                        "{name} is damaged: it holds numbers without end.", hint=_GET_AGAIN, name=lora.path.name
                    )
                weight = LoraWeight(weight.down.to(dtype), weight.up.to(dtype))
                if not weight.is_finite():
                    raise LoraUnsupported(
                        "The LoRA {id} holds numbers that are too large for half precision.", id=lora.id
                    )
                _add(found.setdefault(module.part, {}), path, weight, lora)
    except (OSError, SafetensorError) as error:
        raise LoraUnreadable("{name} cannot be read.", hint=_GET_AGAIN, name=lora.path.name) from error
    return found


def _weight(file: Any, module: LoraModule, scales: LoraScales, path: str, *, convolution: bool) -> LoraWeight:
    """In float32, which holds all that the kinds of numbers in LoRA files can say, but for float64's last digits."""
    down, up = (file.get_tensor(name).float() for name in (module.down, module.up))
    rank = down.shape[0]
    if module.mid:
        # A convolution of one pixel before another one is a single convolution.
        down = torch.einsum("mnhw,ni->mihw", file.get_tensor(module.mid).float(), down.flatten(1))
    scale = float(file.get_tensor(module.alpha)) / rank if module.alpha else scales.of(module.part, path, rank)
    # A linear layer is a convolution of one pixel, and some trainers take one for the other.
    if not convolution and down.shape[2:] == (1, 1):
        down = down.flatten(1)
    if convolution and down.dim() == 2:
        down = down[:, :, None, None]
    up = up.flatten(1)
    return LoraWeight(down, (up[:, :, None, None] if convolution else up) * scale)


def _add(part: dict[str, LoraWeight], path: str, weight: LoraWeight, lora: Lora) -> None:
    known = part.setdefault(path, weight)
    # Some files hold the same layer under two names.
    if known is not weight and not (torch.equal(known.down, weight.down) and torch.equal(known.up, weight.up)):
        raise LoraUnsupported("The LoRA {id} changes {path} twice, each time in another way.", id=lora.id, path=path)


def _original_name(path: str, blocks: Mapping[str, str]) -> str:
    """What the UNet's module is called in the layout of CompVis and Stability AI."""
    if path in _OUTSIDE_BLOCKS:
        return _OUTSIDE_BLOCKS[path]
    if path in blocks:
        return blocks[path]
    for block, original in blocks.items():
        if path.startswith(f"{block}."):
            inner = path.removeprefix(f"{block}.")
            return f"{original}.{_RESNET.get(inner, inner) if '.resnets.' in block else inner}"
    return path


def _original_blocks(unet: Any) -> Iterator[tuple[str, str]]:
    """diffusers' names of the blocks' parts, and the original ones. There each pair of a residual and an attention
    block is one block, and so is each change of size on the way down.
    """
    kinds = (("resnets", 0), ("attentions", 1))
    index = 1
    for number, block in enumerate(unet.down_blocks):
        for place in range(len(block.resnets)):
            for kind, within in kinds:
                yield f"down_blocks.{number}.{kind}.{place}", f"input_blocks.{index}.{within}"
            index += 1
        if block.downsamplers:
            yield f"down_blocks.{number}.downsamplers.0.conv", f"input_blocks.{index}.0.op"
            index += 1
    yield from (
        ("mid_block.resnets.0", "middle_block.0"),
        ("mid_block.attentions.0", "middle_block.1"),
        ("mid_block.resnets.1", "middle_block.2"),
    )
    index = 0
    for number, block in enumerate(unet.up_blocks):
        attends = bool(getattr(block, "attentions", ()))
        for place in range(len(block.resnets)):
            for kind, within in kinds:
                yield f"up_blocks.{number}.{kind}.{place}", f"output_blocks.{index}.{within}"
            index += 1
        if block.upsamplers:
            # Behind the last pair's blocks, and in the same one.
            yield f"up_blocks.{number}.upsamplers.0.conv", f"output_blocks.{index - 1}.{2 if attends else 1}.conv"
