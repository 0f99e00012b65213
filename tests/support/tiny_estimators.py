"""Estimators of transformers' and diffusers' real classes at tiny sizes, with seeded random weights."""

import json
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from safetensors.torch import save_file
from tiny_checkpoints import build_tiny_sd1

from bridge.vision.ade20k import ADE20K
from bridge.vision.hed import Hed

__all__ = [
    "build_depth",
    "build_detector",
    "build_hed",
    "build_marigold",
    "build_pose",
    "build_segmenter",
    "build_segmenter_of_queries",
    "save_estimator",
]

_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_THINGS = {number: name for number, (name, _) in enumerate(ADE20K)}


def save_estimator(folder: Path, network: Any, preprocessor: dict[str, Any]) -> Path:
    """Writes it as the hub's folders are laid out; returns the folder."""
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"resample": 2, **_IMAGENET, **preprocessor}))
    return folder


def build_depth(folder: Path, **config: Any) -> Path:
    """A Depth Anything."""
    torch.manual_seed(1)
    backbone = transformers.Dinov2Config(
        hidden_size=24, num_hidden_layers=4, num_attention_heads=2, image_size=28, patch_size=14,
        out_indices=[1, 2, 3, 4], apply_layernorm=True, reshape_hidden_states=False,
    )  # fmt: skip
    sizes = {"neck_hidden_sizes": [4, 8, 12, 16], "fusion_hidden_size": 8, "reassemble_hidden_size": 24}
    made = transformers.DepthAnythingConfig(backbone_config=backbone, head_hidden_size=4, **sizes, **config)
    network = transformers.DepthAnythingForDepthEstimation(made)
    # Its last layer cuts off what is below 0, of which random weights make much.
    with torch.no_grad():
        for part in (network.head.conv1, network.head.conv2):
            part.weight *= 20
            part.bias.fill_(0.1)
        network.head.conv3.weight *= 20
        network.head.conv3.bias.fill_(1.0)
    size = {"height": 56, "width": 56}
    shape = {"size": size, "keep_aspect_ratio": True, "ensure_multiple_of": 14, "resample": 3}
    return save_estimator(folder, network, shape)


def build_segmenter(folder: Path, things: dict[int, str] | None = None) -> Path:
    """A SegFormer that knows ADE20K's things, or others."""
    torch.manual_seed(2)
    things = _THINGS if things is None else things
    config = transformers.SegformerConfig(
        hidden_sizes=[8] * 4, depths=[1] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=16, id2label=things,
        label2id={name: number for number, name in things.items()},
    )  # fmt: skip
    network = transformers.SegformerForSemanticSegmentation(config)
    return save_estimator(folder, network, {"size": {"height": 64, "width": 64}, "do_reduce_labels": True})


def build_segmenter_of_queries(folder: Path) -> Path:
    """A Mask2Former."""
    torch.manual_seed(3)
    swin = transformers.SwinConfig(
        embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=4, image_size=64,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = transformers.Mask2FormerConfig(
        backbone_config=swin, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=16,
        encoder_layers=1, decoder_layers=2, dim_feedforward=16, num_attention_heads=2, num_queries=8, id2label=_THINGS,
        label2id={name: number for number, name in _THINGS.items()},
    )  # fmt: skip
    network = transformers.Mask2FormerForUniversalSegmentation(config)
    with torch.no_grad():
        network.class_predictor.weight *= 100
        for name, weight in network.named_parameters():
            if "mask_embedder" in name and name.endswith("weight"):
                weight *= 10
    return save_estimator(folder, network, {"size": {"shortest_edge": 64, "longest_edge": 128}, "size_divisor": 32})


def build_detector(folder: Path, *, finds: bool = True) -> Path:
    """An RT-DETR that takes everything for people, or nothing."""
    torch.manual_seed(4)
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = transformers.RTDetrConfig(
        backbone_config=backbone, encoder_in_channels=[8, 16, 16], encoder_hidden_dim=16, d_model=16,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=6, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, decoder_in_channels=[16] * 3, num_denoising=0, id2label={0: "person", 1: "dog"},
        label2id={"person": 0, "dog": 1},
    )  # fmt: skip
    network = transformers.RTDetrForObjectDetection(config)
    for name, bias in network.named_parameters():
        if name.endswith("class_embed.0.bias"):
            bias.data = torch.tensor([1.0 if finds else -9.0, -9.0])
    return save_estimator(folder, network, {"size": {"height": 64, "width": 64}, "do_normalize": False})


def build_pose(folder: Path) -> Path:
    """A ViTPose that sees all joints somewhere."""
    torch.manual_seed(5)
    backbone = transformers.VitPoseBackboneConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=[64, 48], out_features=["stage2"]
    )
    joints = {number: f"joint {number}" for number in range(17)}
    config = transformers.VitPoseConfig(
        backbone_config=backbone, use_simple_decoder=True, id2label=joints,
        label2id={name: number for number, name in joints.items()},
    )  # fmt: skip
    network = transformers.VitPoseForPoseEstimation(config)
    with torch.no_grad():
        network.head.conv.weight *= 30
        network.head.conv.bias += 0.5
    size = {"height": 64, "width": 48}
    return save_estimator(folder, network, {"size": size, "do_affine_transform": True, "normalize_factor": 200.0})


def build_hed(path: Path) -> Path:
    """HED of four channels a stage; returns the file."""
    torch.manual_seed(6)
    network = Hed(((4, 2), (4, 2), (4, 3), (4, 3), (4, 3)))
    with torch.no_grad():
        network.norm += 120
    save_file(network.state_dict(), path)
    return path


def build_marigold(folder: Path) -> Path:
    """Marigold's normals, of a tiny SD1's parts."""
    torch.manual_seed(7)
    base = diffusers.StableDiffusionPipeline.from_pretrained(
        build_tiny_sd1(folder.with_name(f"{folder.name}-base"), inpaint=False), local_files_only=True
    )
    config = {**base.unet.config, "in_channels": 8, "out_channels": 4}
    diffusers.MarigoldNormalsPipeline(
        unet=diffusers.UNet2DConditionModel.from_config(config),
        vae=base.vae,
        scheduler=diffusers.DDIMScheduler(),
        text_encoder=base.text_encoder,
        tokenizer=base.tokenizer,
        default_denoising_steps=2,
        default_processing_resolution=64,
    ).save_pretrained(folder)
    return folder
