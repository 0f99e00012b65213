"""A model's NaN: told of the step that made it, and cured by full precision where half was too little."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import build_tiny_sd1

from bridge.canvas.geometry import Rect
from bridge.diffusion import Device, ModelCache, ModelNotFinite
from bridge.engine.inputs import bridge_error
from bridge.models import inspect
from bridge.painter import ResultCache, paint

BOX = Rect(120, 90, 70, 60)
HALF = Device("cpu", "test", 1 << 30, "float16", "Tests run on the CPU.")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_tiny_sd1(tmp_path_factory.mktemp("built") / "tiny", inpaint=False)


@pytest.fixture
def folder(built, tmp_path):
    return shutil.copytree(built, tmp_path / "tiny")


@pytest.fixture
def ask(studio):
    canvas = studio.photograph(width=320, height=240)
    request = studio.request(canvas, studio.ellipse(canvas, BOX), kind="refine", strength=0.5, prompt="a lake")

    def asked(cache: ModelCache, folder: Path, results: ResultCache | None = None):
        return paint(request, cache.on_demand(inspect(folder)), studio.Hooks(), results)

    return asked


def change(part: Path, name: str, factor: float) -> None:
    weights = next(part.glob("*.safetensors"))
    tensors = load_file(weights)
    # One value of a tensor is enough, as with a file that was damaged.
    tensors[name].view(-1)[0] = factor if factor != factor else tensors[name].view(-1)[0] * factor
    save_file(tensors, weights, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("part", "name", "words", "cure"),
    [
        ("unet", "conv_out.bias", "The denoiser of tiny", "another one"),
        ("vae", "decoder.conv_out.bias", "The VAE of tiny", "another VAE"),
        ("vae", "encoder.conv_out.bias", "The VAE of tiny", "another VAE"),
        ("text_encoder", "final_layer_norm.bias", "The text encoder of tiny", "another one"),
    ],
)
def test_damaged_weights_are_told_by_the_part(ask, cpu_cache, folder, part, name, words, cure):
    weights = next((folder / part).glob("*.safetensors"))
    name = next(own for own in load_file(weights) if own.endswith(name))
    change(folder / part, name, float("nan"))
    with pytest.raises(ModelNotFinite, match=words) as caught:
        ask(cpu_cache, folder)
    assert cure in caught.value.hint
    assert bridge_error(caught.value).code == "model_not_finite"


@pytest.fixture
def cpu_cache():
    return ModelCache(Device("cpu", "test", 1 << 30, "float32", "Tests run on the CPU."))


def test_what_half_precision_does_not_hold_is_painted_in_full(ask, cpu_cache, folder):
    weights = next((folder / "unet").glob("*.safetensors"))
    tensors = load_file(weights)
    # Sound in float32; 65,504 is the end of half precision.
    tensors["conv_in.bias"] = torch.full_like(tensors["conv_in.bias"], 1e5)
    save_file(tensors, weights, metadata={"format": "pt"})
    half, results, checkpoint = ModelCache(HALF), ResultCache(), inspect(folder)
    assert half.device_of(checkpoint).dtype == "float16"
    painting = ask(half, folder, results)
    assert [hint for hint in painting.hints if "full precision" in hint]
    assert half.device_of(checkpoint).dtype == "float32"
    pixels = painting.layers[0].layer.pixels
    assert np.isfinite(pixels).all()
    # Once found, it is remembered, and told of no more.
    again = ask(half, folder, results)
    assert not [hint for hint in again.hints if "full precision" in hint]
    assert np.array_equal(again.layers[0].layer.pixels, pixels)
    assert np.array_equal(ask(cpu_cache, folder).layers[0].layer.pixels, pixels)


def test_the_vae_is_never_in_half_precision(folder):
    """So the SDXL VAE, whose numbers half precision does not hold, needs no cure."""
    components = ModelCache(HALF).get(inspect(folder), check=lambda: None)
    assert (components.vae.dtype, components.unet.dtype) == (torch.float32, torch.float16)


def test_damaged_weights_are_not_tried_for_ever_in_half_precision(ask, folder):
    change(folder / "unet", "conv_out.bias", float("nan"))
    cache = ModelCache(HALF)
    tries = []
    real = cache.full_precision
    cache.full_precision = lambda checkpoint: tries.append(SimpleNamespace(done=real(checkpoint))) or tries[-1].done
    with pytest.raises(ModelNotFinite):
        ask(cache, folder)
    assert [one.done for one in tries] == [True]
