"""What is needed of memory is told by headers alone, and a placement that fits is chosen by it."""

import random
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from single_files import save_single_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl
from toy_family import build_toy

from bridge.diffusion import Device, load
from bridge.models import inspect
from bridge.models.families.family import WorkingMemory
from bridge.models.memory import MemoryNeeds, Offload, PartMemory, Placement, memory_needs, place_on, usable_memory

GIB = 1 << 30
WORKING = WorkingMemory(denoiser=1000, vae=3100)
CPU = Device("cpu", "test", 1 << 30, "float32", "Tests run on the CPU.")
# Parameters of FLUX.2 Klein 4B, Z-Image and their Qwen3-4B, as their configs have them.
KLEIN, Z_IMAGE, QWEN, VAE = 3_875_544_576, 6_154_908_736, 4_022_468_096, 84_046_115
QWEN_LARGEST = 151_936 * 2560


# ggml's Q4_K: 144 bytes for each 256 weights.
Q4 = 144 / 256


def needs_of(denoiser, bytes_of_weight=2.0, *, working=WORKING, width=2):
    packable = 0 if bytes_of_weight == width else 1
    layers = (denoiser * packable, (QWEN - QWEN_LARGEST) * packable)
    return MemoryNeeds(
        PartMemory(denoiser, layers[0], round(layers[0] * bytes_of_weight), 85_000_000),
        PartMemory(VAE, 0, 0, 2_400_000),
        PartMemory(QWEN, layers[1], round(layers[1] * bytes_of_weight), QWEN_LARGEST),
        pixels=1 << 20,
        width=width,
        working=working,
    )


@pytest.fixture(scope="module", params=[build_tiny_sd1, build_tiny_sdxl])
def folder(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("needs") / "it", inpaint=True)


@pytest.mark.parametrize("layout", ["folder", "file"])
def test_headers_tell_what_is_loaded(folder, tmp_path, layout):
    path = folder if layout == "folder" else save_single_file(folder, tmp_path / "it.safetensors")
    checkpoint = inspect(path)
    needs = memory_needs(checkpoint, width=4)
    modules = load(checkpoint, CPU, check=lambda: None).modules
    held = {name: sum(one.numel() for one in module.parameters()) for name, module in modules.items()}
    assert needs.denoiser.parameters == held["unet"]
    assert needs.vae.parameters == held["vae"]
    # A file may have buffers and projections among its encoders' tensors.
    texts = sum(count for name, count in held.items() if name.startswith("text_encoder"))
    assert texts <= needs.texts.parameters <= 1.1 * texts
    largest = max(one.numel() for one in modules["unet"].parameters())
    assert needs.denoiser.largest == largest
    assert needs.weights >= sum(held.values()) * 4
    assert needs.pixels == checkpoint.card.native_pixels


def test_float8_counts_with_its_scales(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "it")
    weights = next((copy / "unet").glob("*.safetensors"))
    tensors = load_file(weights)
    narrow = {name for name, one in tensors.items() if name.endswith("weight") and one.dim() == 2}
    save_file({name: one.to(torch.float8_e4m3fn) if name in narrow else one for name, one in tensors.items()}, weights)
    checkpoint = inspect(copy)
    needs = memory_needs(checkpoint, width=2)
    count = sum(tensors[name].numel() for name in narrow)
    assert needs.denoiser.packable == count
    assert needs.denoiser.size(2, packed=True) == 2 * needs.denoiser.parameters - count
    one = min(narrow)
    save_file({**load_file(weights), one.replace(".weight", ".weight_scale"): torch.tensor(0.5)}, weights)
    # Read anew, since the file has changed. The scale is no weight, and there is one for each row in memory.
    again = memory_needs(checkpoint, width=2)
    assert again.denoiser.packable == count
    assert again.denoiser.packed_bytes == count + 4 * len(tensors[one])
    assert again.denoiser.parameters == needs.denoiser.parameters


def test_what_cannot_be_told_is_none(tmp_path):
    assert memory_needs(inspect(build_toy(tmp_path / "toy.safetensors"))) is None


def test_guidance_and_full_precision_take_more(folder):
    checkpoint = inspect(folder)
    needs = memory_needs(checkpoint)
    assert needs.predictions == (1 if checkpoint.card.default_guidance == 1 else 2)
    wide = memory_needs(checkpoint, width=4)
    assert wide.weights > needs.weights
    assert wide.whole() > needs.whole()


@pytest.mark.parametrize(
    ("gib", "needs", "offload"),
    [
        pytest.param(24, needs_of(KLEIN), Offload.NOTHING, id="Klein 4B, bf16, 24 GB"),
        pytest.param(12, needs_of(KLEIN), Offload.ALL_BUT_DENOISER, id="Klein 4B, bf16, 12 GB"),
        pytest.param(8, needs_of(KLEIN, 1.0), Offload.ALL_BUT_DENOISER, id="Klein 4B, fp8, 8 GB"),
        pytest.param(8, needs_of(KLEIN, Q4), Offload.ALL_BUT_DENOISER, id="Klein 4B, Q4_K, 8 GB"),
        pytest.param(8, needs_of(KLEIN), Offload.ALL, id="Klein 4B, bf16, 8 GB"),
        pytest.param(24, needs_of(Z_IMAGE), Offload.ALL_BUT_DENOISER, id="Z-Image, bf16, 24 GB"),
        pytest.param(16, needs_of(Z_IMAGE), Offload.ALL_BUT_DENOISER, id="Z-Image, bf16, 16 GB"),
        pytest.param(
            8, needs_of(Z_IMAGE, 1.0, working=WorkingMemory(520, 3100)), Offload.ALL_BUT_DENOISER,
            id="Z-Image, fp8, 8 GB",
        ),
        pytest.param(8, needs_of(Z_IMAGE, Q4), Offload.ALL_BUT_DENOISER, id="Z-Image, Q4_K, 8 GB"),
        pytest.param(8, needs_of(Z_IMAGE), Offload.ALL, id="Z-Image, bf16, 8 GB"),
        pytest.param(6, needs_of(Z_IMAGE), Offload.ALL, id="Z-Image, bf16, 6 GB"),
    ],
)  # fmt: skip
def test_cards_of_common_sizes(gib, needs, offload):
    found = place_on(needs, gib * GIB)
    assert found.offload is offload
    assert found.planned
    used = needs.on_device(found.offload, packed=found.packed, vae_pixels=found.vae_pixels)
    assert used <= usable_memory(gib * GIB)


def test_more_memory_never_places_worse_and_what_is_placed_fits():
    rng = random.Random(5)
    for _ in range(200):
        needs = MemoryNeeds(
            *(
                PartMemory(count, *rng.choice([(0, 0), (count, count), (count, count // 2)]), count // 20)
                for count in rng.choices(range(10**8, 10**10), k=3)
            ),
            pixels=rng.choice([1 << 18, 1 << 20]),
            width=rng.choice([2, 4]),
            working=WorkingMemory(rng.randint(100, 2000), rng.randint(1000, 4000)),
            predictions=rng.choice([1, 2]),
        )
        before = None
        for gib in (2, 4, 6, 8, 10, 12, 16, 24, 32, 48, 80, 200):
            found = place_on(needs, gib * GIB)
            used = needs.on_device(found.offload, packed=found.packed, vae_pixels=found.vae_pixels)
            assert used <= usable_memory(gib * GIB) or used <= needs.least() + 1
            assert found.vae_pixels is None or found.vae_pixels >= 256 * 256
            assert before is None or found.offload <= before.offload
            before = found
        assert place_on(needs, 1000 * GIB) == Placement(planned=True)
        assert needs.least() <= needs.whole()
