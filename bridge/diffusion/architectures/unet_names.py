"""The UNet's layers by their names in the original layout, of CompVis and Stability AI."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

__all__ = ["original_names"]

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


def original_names(unet: Any) -> dict[str, tuple[str]]:
    """The paths of the UNet's linear and convolutional layers by their original names."""
    blocks = dict(_original_blocks(unet))
    layers = (path for path, one in unet.named_modules() if isinstance(one, (torch.nn.Linear, torch.nn.Conv2d)))
    # One that a LoRA lies beside already is one level deeper.
    paths = (path.removesuffix(".base_layer") for path in layers)
    return {_original_name(path, blocks): (path,) for path in paths}


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
