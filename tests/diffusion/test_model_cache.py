"""Loading part by part, keeping by content, and refusing what does not fit."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import build_tiny_sd1
from tiny_flux2 import build_tiny_flux2
from tiny_loras import build_tiny_lora
from tiny_z_image import build_tiny_z_image

from bridge.diffusion import ModelCache, ModelInputs, WeightedLora, load
from bridge.models import CheckpointUnreadable, inspect, inspect_lora


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
        one, other = found.modules[part].state_dict(), expected.modules[part].state_dict()
        assert one.keys() == other.keys()
        assert all(torch.allclose(one[name], other[name], rtol=0, atol=tolerance) for name in one)


def test_cache_goes_by_content(folder, tmp_path, cpu):
    cache = ModelCache(cpu, budget=1)
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
    cache, seen = ModelCache(cpu), []

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
    latents = components.encode(picture)
    assert latents.shape == (1, 4, 8, 6)
    assert torch.equal(latents, components.encode(picture))
    pixels = components.decode(latents)
    assert pixels.shape == (64, 48, 3)
    assert pixels.dtype == np.float32
    assert pixels.min() >= 0
    assert pixels.max() <= 1


def test_what_fits_the_budget_stays(folder, tmp_path, cpu):
    paths = [build_tiny_sd1(tmp_path / f"of seed {seed}", inpaint=False, seed=seed) for seed in (1, 2, 3)]
    one, two, three = map(inspect, paths)
    probe = ModelCache(cpu)
    probe.get(one, check=lambda: None)
    cache = ModelCache(cpu, budget=int(2.5 * probe.size))
    first, second = (cache.get(checkpoint, check=lambda: None) for checkpoint in (one, two))
    assert cache.get(one, check=lambda: None).unet is first.unet
    cache.get(three, check=lambda: None)
    assert cache.size <= 2.5 * probe.size
    # The one not used for longest made room.
    assert cache.get(one, check=lambda: None).unet is first.unet
    assert cache.get(two, check=lambda: None).unet is not second.unet
    cache.evict_unused()
    assert cache.size == probe.size


def test_parts_that_two_checkpoints_have_in_common_are_there_once(folder, tmp_path, cpu):
    other = shutil.copytree(folder, tmp_path / "other")
    weights = next((other / "unet").glob("*.safetensors"))
    tensors = {name: tensor + 0.01 for name, tensor in load_file(weights).items()}
    save_file(tensors, weights, metadata={"format": "pt"})
    cache = ModelCache(cpu)
    first = cache.get(inspect(folder), check=lambda: None)
    alone = cache.size
    second = cache.get(inspect(other), check=lambda: None)
    assert second.modules["text_encoder"] is first.modules["text_encoder"]
    assert second.vae is first.vae
    assert second.unet is not first.unet
    unet = sum(weight.nbytes for weight in (*second.unet.parameters(), *second.unet.buffers()))
    assert cache.size == alone + unet
    # Nor does what one of them lets go take the other's along.
    cache.evict_unused()
    assert cache.size == alone
    assert cache.get(inspect(other), check=lambda: None).vae is second.vae


def test_a_language_model_is_there_once_for_all_families(tmp_path, cpu):
    klein = build_tiny_flux2(tmp_path / "klein")
    z_image = build_tiny_z_image(tmp_path / "z-image", text_layers=28)
    cache = ModelCache(cpu)
    first, second = (cache.get(inspect(one), check=lambda: None) for one in (klein, z_image))
    assert first.modules["text_encoder"] is second.modules["text_encoder"]
    assert first.encode_prompts("a lake", "").positive.embeds.shape == (1, 512, 48)
    assert second.encode_prompts("a lake", "").positive.embeds.shape[2] == 16


def test_loras_in_a_shared_text_encoder_stay_with_their_checkpoint(folder, tmp_path, cpu):
    other = shutil.copytree(folder, tmp_path / "other")
    weights = next((other / "unet").glob("*.safetensors"))
    save_file({name: 2 * one for name, one in load_file(weights).items()}, weights, metadata={"format": "pt"})
    lora = WeightedLora(inspect_lora(build_tiny_lora(folder, tmp_path / "ink.safetensors")), 1.0)
    expected = {}
    for path in (folder, other):
        for loras in ((), (lora,)):
            model = ModelCache(cpu).get(inspect(path), check=lambda: None, loras=loras)
            expected[path, loras] = predicted(model)
    cache = ModelCache(cpu)
    for path, loras in [(folder, (lora,)), (other, ()), (other, (lora,)), (folder, ()), (folder, (lora,)), (other, ())]:
        assert torch.equal(predicted(cache.get(inspect(path), check=lambda: None, loras=loras)), expected[path, loras])


def predicted(model):
    prompt = model.encode_prompts("a red flower", "").positive
    with torch.no_grad():
        return model.predict(ModelInputs(torch.ones(1, 4, 8, 8), 500, prompt))


def test_loras_count(folder, tmp_path, cpu):
    lora = WeightedLora(inspect_lora(build_tiny_lora(folder, tmp_path / "ink.safetensors")), 1.0)
    cache = ModelCache(cpu)
    cache.get(inspect(folder), check=lambda: None)
    alone = cache.size
    cache.get(inspect(folder), check=lambda: None, loras=(lora,))
    assert cache.size > alone
