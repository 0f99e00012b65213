"""Loading part by part, keeping by content, and refusing what does not fit."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import build_tiny_sd1

from bridge.diffusion import ComponentCache, decode, encode, load
from bridge.models import CheckpointUnreadable, inspect


class Stop(Exception):
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_tiny_sd1(tmp_path_factory.mktemp("folder") / "tiny", inpaint=False)


def test_check_is_called_between_the_parts(folder, cpu):
    calls = []
    load(inspect(folder), cpu, check=lambda: calls.append(1))
    assert len(calls) >= 4
    for last in range(1, len(calls) + 1):
        seen = []

        def check(last=last, seen=seen):
            seen.append(1)
            if len(seen) == last:
                raise Stop

        with pytest.raises(Stop):
            load(inspect(folder), cpu, check=check)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_missing_tensors_are_not_made_up(folder, tmp_path, cpu, part):
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = next((copy / part).glob("*.safetensors"))
    tensors = load_file(weights)
    tensors.pop(sorted(tensors)[-1])
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(CheckpointUnreadable, match=r"incomplete|fit each other"):
        load(inspect(copy), cpu, check=lambda: None)


def test_tensors_of_another_shape_are_refused(folder, tmp_path, cpu):
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = next((copy / "vae").glob("*.safetensors"))
    tensors = load_file(weights)
    tensors["decoder.conv_in.weight"] = torch.zeros(3, 3)
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(CheckpointUnreadable, match="fit each other"):
        load(inspect(copy), cpu, check=lambda: None)


def test_folders_as_older_programs_wrote_them(folder, tmp_path, cpu):
    """Half-precision files by their own name, a prefix and a stray tensor in CLIP, old attention names in the VAE."""
    old = shutil.copytree(folder, tmp_path / "old")
    clip = old / "text_encoder" / "model.safetensors"
    tensors = {f"text_model.{name}": tensor for name, tensor in load_file(clip).items()}
    tensors["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_file(tensors, clip, metadata={"format": "pt"})
    vae = old / "vae" / "diffusion_pytorch_model.safetensors"
    renamed = {}
    for name, tensor in load_file(vae).items():
        for new, former in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            name = name.replace(f".{new}.", f".{former}.")
        renamed[name] = tensor
    save_file(renamed, vae, metadata={"format": "pt"})
    unet = old / "unet" / "diffusion_pytorch_model.safetensors"
    halves = {name: tensor.half() for name, tensor in load_file(unet).items()}
    save_file(halves, unet.with_name("diffusion_pytorch_model.fp16.safetensors"), metadata={"format": "pt"})
    unet.unlink()
    found = load(inspect(old), cpu, check=lambda: None)
    expected = load(inspect(folder), cpu, check=lambda: None)
    for part, tolerance in (("text_encoder", 0), ("vae", 0), ("unet", 1e-3)):
        one, other = getattr(found, part).state_dict(), getattr(expected, part).state_dict()
        assert one.keys() == other.keys()
        assert all(torch.allclose(one[name], other[name], rtol=0, atol=tolerance) for name in one)


def test_cache_goes_by_content(folder, tmp_path, cpu):
    cache = ComponentCache(cpu)
    first = cache.get(inspect(folder), check=lambda: None)
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert cache.get(inspect(moved), check=lambda: None).unet is first.unet
    assert cache.get(inspect(moved), check=lambda: None).checkpoint.path == moved
    assert cache.on_demand(inspect(folder)).load(lambda: None).unet is first.unet
    other = inspect(build_tiny_sd1(tmp_path / "other", inpaint=False, seed=1))
    second = cache.get(other, check=lambda: None)
    assert second.unet is not first.unet
    assert cache.get(other, check=lambda: None).unet is second.unet
    assert cache.get(inspect(folder), check=lambda: None).unet is not first.unet
    cache.free()
    assert cache.get(other, check=lambda: None).unet is not second.unet


def test_cancelled_load_leaves_the_cache_usable(folder, cpu):
    cache, seen = ComponentCache(cpu), []

    def check():
        seen.append(1)
        if len(seen) > 3:
            raise Stop

    with pytest.raises(Stop):
        cache.get(inspect(folder), check=check)
    assert cache.get(inspect(folder), check=lambda: None).unet is not None


def test_latents_and_pixels(tiny):
    components = tiny(inpaint=False)
    picture = np.full((64, 48, 3), 0.3, np.float32)
    latents = encode(components, picture, check=lambda: None)
    assert latents.shape == (1, 4, 8, 6)
    assert torch.equal(latents, encode(components, picture, check=lambda: None))
    pixels = decode(components, latents, check=lambda: None)
    assert pixels.shape == (64, 48, 3)
    assert pixels.dtype == np.float32
    assert pixels.min() >= 0
    assert pixels.max() <= 1


def test_check_comes_before_encoding_and_decoding(tiny):
    def check():
        raise Stop

    with pytest.raises(Stop):
        encode(tiny(inpaint=False), np.zeros((64, 64, 3), np.float32), check=check)
    with pytest.raises(Stop):
        decode(tiny(inpaint=False), torch.zeros(1, 4, 8, 8), check=check)
