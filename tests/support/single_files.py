"""Single files in the layout of CompVis and Stability AI, made from diffusers folders by naming the tensors back."""

import json
import re
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

__all__ = ["original_unet_name", "original_vae", "save_single_file"]

_RESNET = (
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("time_emb_proj", "emb_layers.1"),
    ("conv_shortcut", "skip_connection"),
)
_ATTENTION = (("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out"))
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_OPEN_CLIP = (
    ("encoder.layers.", "transformer.resblocks."),
    ("self_attn.", "attn."),
    ("layer_norm1", "ln_1"),
    ("layer_norm2", "ln_2"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
    ("final_layer_norm", "ln_final"),
    ("embeddings.token_embedding.weight", "token_embedding.weight"),
    ("embeddings.position_embedding.weight", "positional_embedding"),
)


def save_single_file(folder: Path, path: Path, *, half: bool = False) -> Path:
    """Writes the checkpoint of a diffusers folder as one file, and its configs as `NAME.config` beside it."""
    tensors = {
        **{f"model.diffusion_model.{name}": tensor for name, tensor in _unet(folder / "unet").items()},
        **{f"first_stage_model.{name}": tensor for name, tensor in original_vae(folder / "vae").items()},
    }
    first = _weights(folder / "text_encoder")
    if (folder / "text_encoder_2").is_dir():
        tensors |= _clip(first, "conditioner.embedders.0.transformer.text_model.")
        tensors |= _open_clip(_weights(folder / "text_encoder_2"), "conditioner.embedders.1.model.")
    elif _config(folder / "text_encoder")["hidden_act"] == "gelu":
        tensors |= _open_clip(first, "cond_stage_model.model.")
    else:
        tensors |= _clip(first, "cond_stage_model.transformer.text_model.")
    if half:
        tensors = {name: tensor.half() for name, tensor in tensors.items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    beside = path.with_name(f"{path.stem}.config")
    shutil.copytree(folder, beside, ignore=shutil.ignore_patterns("*.safetensors", "model_index.json"))
    return path


def _weights(part: Path) -> dict[str, torch.Tensor]:
    return load_file(next(part.glob("*.safetensors")))


def _config(part: Path) -> dict:
    return json.loads((part / "config.json").read_text())


def _replaced(name: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for new, old in pairs:
        name = name.replace(new, old)
    return name


def original_unet_name(name: str, config: dict) -> str:
    """What a tensor of the UNet in diffusers' layout is called in the original one."""
    stride = config["layers_per_block"] + 1
    stem = name.rpartition(".")[0]
    if stem in _UNET_ENDS:
        return name.replace(stem, _UNET_ENDS[stem])
    if found := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name):
        kind, index, rest = found.groups()
        place = 1 if kind == "attentions" else 2 * int(index)
        return f"middle_block.{place}.{rest if kind == 'attentions' else _replaced(rest, _RESNET)}"
    found = re.match(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", name)
    assert found, name
    way, block, kind, index, rest = found.groups()
    first = int(block) * stride
    if kind == "downsamplers":
        return f"input_blocks.{first + stride}.0.{rest.replace('conv', 'op')}"
    if kind == "upsamplers":
        attends = "CrossAttn" in config["up_block_types"][int(block)]
        return f"output_blocks.{first + stride - 1}.{2 if attends else 1}.{rest}"
    at = f"input_blocks.{1 + first + int(index)}" if way == "down" else f"output_blocks.{first + int(index)}"
    return f"{at}.1.{rest}" if kind == "attentions" else f"{at}.0.{_replaced(rest, _RESNET)}"


def _unet(part: Path) -> dict[str, torch.Tensor]:
    config = _config(part)
    return {original_unet_name(name, config): tensor for name, tensor in _weights(part).items()}


def original_vae(part: Path) -> dict[str, torch.Tensor]:
    last = len(_config(part)["up_block_types"]) - 1
    renamed = {}
    for name, tensor in _weights(part).items():
        name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
        name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(r"up_blocks\.(\d)\.resnets", lambda found: f"up.{last - int(found[1])}.block", name)
        name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda found: f"up.{last - int(found[1])}.upsample", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
        name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        if "mid_block.attentions.0" in name:
            name = _replaced(name.replace("mid_block.attentions.0", "mid.attn_1"), _ATTENTION)
            # The original's attention is made of convolutions of one pixel.
            tensor = tensor[:, :, None, None] if tensor.dim() == 2 else tensor
        renamed[name] = tensor
    return renamed


def _clip(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    renamed = {prefix + name.removeprefix("text_model."): tensor for name, tensor in weights.items()}
    return {**renamed, f"{prefix}embeddings.position_ids": torch.arange(77)[None]}


def _open_clip(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    renamed = {}
    for name, tensor in weights.items():
        name = name.removeprefix("text_model.")
        if found := re.match(r"(.*self_attn)\.q_proj\.(weight|bias)", name):
            three = [
                weights[next(key for key in weights if key.endswith(name.replace("q_proj", f"{one}_proj")))]
                for one in "qkv"
            ]
            renamed[prefix + _replaced(f"{found[1]}.", _OPEN_CLIP) + f"in_proj_{found[2]}"] = torch.cat(three)
        elif name == "text_projection.weight":
            renamed[f"{prefix}text_projection"] = tensor.T
        elif not re.search(r"\.[kv]_proj\.", name):
            renamed[prefix + _replaced(name, _OPEN_CLIP)] = tensor
    return renamed
