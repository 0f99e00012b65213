"""Tiny seeded ControlNets for tiny checkpoints, as diffusers folders and as single files; and one that is trained."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ControlNetModel, ControlNetUnionModel, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from single_files import original_unet_name
from tiny_checkpoints import build_tiny_sd1

from bridge.diffusion import WeightedConditioner
from bridge.diffusion.conditioning import ControlNetConditioner
from bridge.models import MINI

__all__ = [
    "build_tiny_controlnet",
    "build_tiny_union",
    "control_of",
    "rough_drawing",
    "save_original_controlnet",
    "save_single_controlnet",
    "train_tiny_scribble",
]

_ENDS = {
    "controlnet_cond_embedding.conv_in": "input_hint_block.0",
    "controlnet_cond_embedding.conv_out": "input_hint_block.14",
    "controlnet_mid_block": "middle_block_out.0",
}


def build_tiny_controlnet(checkpoint: Path, folder: Path, *, seed: int = 0, speaks: float = 0.0) -> Path:
    """Writes a ControlNet for a tiny diffusers folder's UNet as a folder; returns it.

    A new ControlNet's outputs are zeros; `speaks` is how large they are made instead, at random, and its eyes too.
    """
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        unet = UNet2DConditionModel.from_pretrained(checkpoint / "unet", local_files_only=True)
        if unet.config.in_channels != 4:
            config = dict(unet.config, in_channels=4)
            unet = UNet2DConditionModel.from_config(config)
        net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 8, 16))
        if speaks:
            ends = (*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out)
            for end in ends:
                torch.nn.init.normal_(end.weight, std=speaks)
    finally:
        torch.random.set_rng_state(state)
    net.save_pretrained(folder)
    return folder


def build_tiny_union(checkpoint: Path, folder: Path, *, kinds: int = 8, seed: int = 0) -> Path:
    """Writes a ControlNet for so many kinds of pictures, for a tiny SDXL folder's UNet, as a folder; returns it."""
    config = json.loads((checkpoint / "unet" / "config.json").read_text())
    known = (
        *("down_block_types", "block_out_channels", "layers_per_block", "norm_num_groups", "cross_attention_dim"),
        *("attention_head_dim", "transformer_layers_per_block", "use_linear_projection", "addition_embed_type"),
        *("addition_time_embed_dim", "projection_class_embeddings_input_dim"),
    )
    width = config["block_out_channels"][0]
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        net = ControlNetUnionModel(
            **{name: config[name] for name in known},
            conditioning_embedding_out_channels=(8, 8, 8, 16),
            num_control_type=kinds,
            num_trans_channel=width,
            num_proj_channel=width,
        )
        ends = (*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out)
        for end in (*ends, net.spatial_ch_projs):
            torch.nn.init.normal_(end.weight, std=0.2)
    finally:
        torch.random.set_rng_state(state)
    net.save_pretrained(folder)
    return folder


def control_of(net, picture, strength=1.0, start=0.0, end=1.0, mask=None) -> WeightedConditioner:
    """A loaded ControlNet as the denoising takes it, shown `picture` (1, 3, h, w)."""
    return WeightedConditioner(ControlNetConditioner(net, picture), strength, start, end, mask)


def save_single_controlnet(folder: Path, path: Path) -> Path:
    """Writes a folder's ControlNet as one file in diffusers' names, its config as `NAME.config` beside it."""
    return _saved(load_file(folder / "diffusion_pytorch_model.safetensors"), folder, path)


def save_original_controlnet(folder: Path, path: Path) -> Path:
    """Writes a folder's ControlNet as one file in the original layout, its config as `NAME.config` beside it."""
    config = json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "diffusion_pytorch_model.safetensors")
    return _saved({f"control_model.{_named(name, config)}": tensor for name, tensor in tensors.items()}, folder, path)


def rough_drawing(generator: torch.Generator, size: int = 64) -> torch.Tensor:
    """(size, size) of 0 and 1, in blocks of 16."""
    rough = (torch.rand((size // 16, size // 16), generator=generator) > 0.5).float()
    return rough.repeat_interleave(16, 0).repeat_interleave(16, 1)


def train_tiny_scribble(folder: Path, *, steps: int = 120, seed: int = 0) -> tuple[Path, Path]:
    """A checkpoint and a ControlNet, as folders, that paint dark where lines are drawn and light elsewhere.

    The UNet's weights are random and stay so; the VAE is mini's, so that there are dark and light pictures. What the
    UNet predicts are clean latents, which a few seconds of training suffice for.
    """
    checkpoint = build_tiny_sd1(folder / "draws", inpaint=False, prediction_type="sample")
    shutil.copytree(MINI / "vae", checkpoint / "vae", dirs_exist_ok=True)
    net_folder = build_tiny_controlnet(checkpoint, folder / "tiny_scribble", speaks=0.05)
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        _train(checkpoint, net_folder, steps)
    finally:
        torch.random.set_rng_state(state)
    return checkpoint, net_folder


def _train(checkpoint: Path, folder: Path, steps: int) -> None:
    unet = UNet2DConditionModel.from_pretrained(checkpoint / "unet", local_files_only=True).requires_grad_(False)
    vae = AutoencoderKL.from_pretrained(checkpoint / "vae", local_files_only=True)
    scheduler = DDIMScheduler.from_pretrained(checkpoint / "scheduler", local_files_only=True)
    net = ControlNetModel.from_pretrained(folder, local_files_only=True)
    generator = torch.Generator().manual_seed(1)
    lines = torch.stack([rough_drawing(generator) for _ in range(48)])[:, None].repeat(1, 3, 1, 1)
    with torch.no_grad():
        wanted = vae.encode(0.6 - 1.2 * lines).latent_dist.mode() * vae.config.scaling_factor
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(steps):
        chosen = torch.randint(0, len(lines), (8,))
        timesteps, clean = torch.randint(0, 1000, (8,)), wanted[chosen]
        noised = scheduler.add_noise(clean, torch.randn_like(clean), timesteps)
        states = torch.randn(8, 77, unet.config.cross_attention_dim)
        down, middle = net(noised, timesteps, states, controlnet_cond=lines[chosen], return_dict=False)
        said = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        loss = (unet(noised, timesteps, states, return_dict=False, **said)[0] - clean).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.save_pretrained(folder)


def _saved(tensors: dict[str, torch.Tensor], folder: Path, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    beside = path.with_name(f"{path.stem}.config")
    beside.mkdir()
    shutil.copy(folder / "config.json", beside)
    return path


def _named(name: str, config: dict) -> str:
    stem, _, last = name.rpartition(".")
    if stem in _ENDS:
        return f"{_ENDS[stem]}.{last}"
    if stem.startswith("controlnet_down_blocks."):
        return f"zero_convs.{stem.split('.')[1]}.0.{last}"
    if stem.startswith("controlnet_cond_embedding.blocks."):
        return f"input_hint_block.{2 * int(stem.split('.')[2]) + 2}.{last}"
    return original_unet_name(name, config)
