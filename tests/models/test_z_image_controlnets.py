"""Z-Image's ControlNets as they are published, in one file without a config: told by their tensors."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_z_image_controlnets import build_tiny_z_image_controlnet

from bridge.diffusion.conditioning import guide_loader
from bridge.models import ConditionUnsupported, ControlNetRegistry
from bridge.models.controlnet import inspect_controlnet
from bridge.models.errors import NotAControlNet
from bridge.models.families.z_image import Z_IMAGE
from bridge.models.parts import Layout

DIM = 256
"""Two of the published heads wide."""


def published(path, *, layers, channels, refined=None):
    """A file with so many control layers and channels; `refined` is whether what is beside the refiner was trained."""
    tensors = {"control_all_x_embedder.2-1.weight": torch.zeros(DIM, 4 * channels)}
    tensors |= {f"control_layers.{number}.after_proj.weight": torch.zeros(4, 4) for number in range(layers)}
    if refined is not None:
        tensors["control_noise_refiner.0.before_proj.weight"] = torch.full((4, 4), float(refined))
    save_file(tensors, path)
    return path


@pytest.mark.parametrize(
    ("layers", "channels", "refined", "places"),
    [
        (15, 33, True, tuple(range(0, 30, 2))),
        (3, 33, True, (0, 10, 20)),
        (6, 16, None, (0, 5, 10, 15, 20, 25)),
    ],
    ids=["2.1", "2.1 lite", "1"],
)
def test_versions_are_told(tmp_path, layers, channels, refined, places):
    net = inspect_controlnet(
        published(tmp_path / "Union.safetensors", layers=layers, channels=channels, refined=refined)
    )
    values = dict(net.values)
    assert (net.family, net.layout, net.loader) == (Z_IMAGE, Layout.FILE, "z_image_controlnet")
    assert values["control_layers_places"] == places
    assert (values["control_in_dim"], values["dim"], values["n_heads"]) == (channels, DIM, 2)
    assert (net.inpainting is not None) == (channels == 33)
    assert values["add_control_noise_refiner"] == ("control_noise_refiner" if refined else None)
    hash(net)


@pytest.mark.parametrize("refined", [None, False])
def test_version_2_is_refused(tmp_path, refined):
    path = published(tmp_path / "Union-2.0.safetensors", layers=15, channels=33, refined=refined)
    with pytest.raises(ConditionUnsupported, match=r"version 2\.0") as refused:
        inspect_controlnet(path)
    assert "2.1" in refused.value.hint


@pytest.mark.parametrize("inpaints", [True, False])
def test_a_file_has_the_weights_of_the_folder(tmp_path, inpaints):
    folder = build_tiny_z_image_controlnet(tmp_path / "folder", inpaints=inpaints)
    weights = load_file(next(folder.glob("*.safetensors")))
    save_file(weights, tmp_path / "single.safetensors")
    (tmp_path / "single.config").mkdir()
    shutil.copy(folder / "config.json", tmp_path / "single.config")
    one, other = (inspect_controlnet(path) for path in (folder, tmp_path / "single.safetensors"))
    assert one.inpainting == other.inpainting
    loaded = [guide_loader(net).load(net, torch.float32).state_dict() for net in (one, other)]
    assert loaded[0].keys() == loaded[1].keys() == weights.keys()
    assert all(torch.equal(tensor, loaded[1][name]) for name, tensor in loaded[0].items())


def test_those_among_comfyuis_model_patches_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "HF_HOME", "HF_HUB_CACHE", "INVOKEAI_ROOT"):
        monkeypatch.delenv(name, raising=False)
    patches = tmp_path / "ComfyUI" / "models" / "model_patches"
    patches.mkdir(parents=True)
    (tmp_path / "ComfyUI" / "models" / "checkpoints").mkdir()
    published(patches / "Union-2.1.safetensors", layers=15, channels=33, refined=True)
    save_file({"style_projector.weight": torch.zeros(2, 2)}, patches / "style.safetensors")
    found = {entry.name: entry.found for entry in ControlNetRegistry().entries(fresh=True)}
    assert found["Union-2.1"].inpainting is not None
    assert not any(isinstance(one, NotAControlNet) for one in found.values())
