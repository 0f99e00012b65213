"""Children of a base fill by what its inpainting checkpoint learnt: exactly, and where they are near enough."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from job_forms import submit_of
from safetensors.torch import load_file, save_file
from single_files import save_single_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl
from tiny_controlnets import build_tiny_controlnet

from bridge.cli.fill_methods import fill_method_words
from bridge.diffusion import Device
from bridge.diffusion.inpaint_difference import distance_between
from bridge.diffusion.weights import Weights
from bridge.engine.executor import JobExecutor, Painted
from bridge.engine.filling import filling_checkpoint
from bridge.engine.inputs import Inputs
from bridge.models import CheckpointUnreadable, ControlNetRegistry, LoraRegistry, Registry, inspect_controlnet
from bridge.models.inpaint_difference import _PUBLISHED, FARTHEST, InpaintSource, _Published, known_distance
from bridge.models.receipt import Receipt, write_receipt
from bridge.painter import Cancelled
from bridge.protocol.messages import Extent, Rect, ResultFormat

CPU = Device("cpu", "test", 1 << 30, "float32", "Tests run on the CPU.")
SIZE = 64
SOURCES = '["base"]\nstands_for = "base"\n["inpainting"]\nstands_for = "inpainting"\n'


def nothing() -> None:
    pass


class Hooks:
    def stage(self, name: str, step: int, steps: int) -> None:
        pass

    def preview(self, rgb: np.ndarray, step: int) -> None:
        pass

    def check(self) -> None:
        pass


def changed(folder: Path, by: float, *, half: bool = False) -> Path:
    """Gives a folder's UNet noise of so many times its own weights; or its numbers in half precision."""
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    generator = torch.Generator().manual_seed(5)
    tensors = {
        name: tensor + by * tensor.std() * torch.randn(tensor.shape, generator=generator)
        for name, tensor in load_file(path).items()
    }
    save_file({name: tensor.half() if half else tensor for name, tensor in tensors.items()}, path, {"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "models"
    build_tiny_sdxl(folder / "base", inpaint=False)
    build_tiny_sdxl(folder / "inpainting", inpaint=True, seed=1)
    for name, by in (("near", 0.1), ("far", 0.5), ("twin", 0.0)):
        changed(Path(shutil.copytree(folder / "base", folder / name)), by)
    build_tiny_sdxl(folder / "velocity", inpaint=False, prediction_type="v_prediction")
    build_tiny_sd1(folder / "other", inpaint=False)
    save_single_file(folder / "near", folder / "near file.safetensors")
    return folder


@pytest.fixture
def home(models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "checkpoints.toml").write_text(SOURCES)
    return tmp_path


def filling(models: Path, name: str, kind: str = "fill", **options: Any) -> tuple[Any, tuple[str, ...]]:
    registry = Registry([models])
    settings = job(name, kind=kind, **options).settings
    return filling_checkpoint(settings, registry.get(name), registry.list, check=nothing)


def job(name: str, **options: Any) -> Any:
    extent, context = Extent(SIZE, SIZE), Rect(0, 0, SIZE, SIZE)
    values = {"kind": "fill", "seed": 3, "steps": 2, "prompt": "a red flower", **options}
    return submit_of(job="a", canvas=extent, context=context, checkpoint=name, result=ResultFormat("f32"), **values)


def done(models: Path, name: str, **options: Any) -> Painted:
    executor = JobExecutor(Registry([models]), LoraRegistry([]), ControlNetRegistry([]), CPU)
    picture = np.random.default_rng(1).random((SIZE, SIZE, 4), np.float32)
    picture[..., 3] = 1
    selection = np.zeros((SIZE, SIZE), np.float32)
    selection[20:44, 20:44] = 1
    return executor.do(job(name, **options), Inputs(picture, selection, ()), Hooks())


def weights_of(checkpoint: Any) -> dict[str, torch.Tensor]:
    kind: Any = UNet2DConditionModel
    found: dict[str, torch.Tensor] = Weights(checkpoint).part("unet", kind, torch.float32).state_dict()
    return found


def test_the_base_itself_becomes_the_inpainting_checkpoint(home: Path, models: Path) -> None:
    found, hints = filling(models, "twin")
    assert found.inpaint
    assert hints == ()
    weights, wanted = weights_of(found), weights_of(Registry([models]).get("inpainting"))
    assert weights.keys() == wanted.keys()
    assert all(torch.equal(weights[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("name", ["near", "near file"])
def test_a_child_is_given_what_training_changed_and_five_channels(home: Path, models: Path, name: str) -> None:
    registry = Registry([models])
    found, hints = filling(models, name)
    assert found.difference is not None
    assert hints == ()
    child, base, inpainting = (weights_of(registry.get(one)) for one in (name, "base", "inpainting"))
    for part, weight in weights_of(found).items():
        wide = inpainting[part].double()
        if part == "conv_in.weight":
            assert wide.shape[1] == 9
            assert torch.equal(weight[:, 4:], inpainting[part][:, 4:])
            wide, weight = wide[:, :4], weight[:, :4]
        expected = child[part].double() + (wide - base[part].double())
        assert torch.equal(weight, expected.float()), part
    # Another file is another child, and another hash, which names all three.
    hashes = {registry.get(name).hash, found.hash, filling(models, "twin")[0].hash, registry.get("inpainting").hash}
    assert len(hashes) == 4
    assert found.known_hash() == found.hash


def test_numbers_in_half_precision_are_exact(home: Path, models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "halves"
    for name in ("base", "inpainting"):
        changed(Path(shutil.copytree(models / name, folder / name)), 0.0, half=True)
    shutil.copytree(folder / "base", folder / "twin")
    found, _ = filling(folder, "twin")
    wanted = weights_of(Registry([folder]).get("inpainting"))
    assert all(torch.equal(weight, wanted[name]) for name, weight in weights_of(found).items())


def test_its_loading_can_be_ended_at_any_tensor(home: Path, models: Path) -> None:
    found, left = filling(models, "near")[0], iter(range(7))

    def check() -> None:
        if next(left, None) is None:
            raise Cancelled

    kind: Any = UNet2DConditionModel
    with pytest.raises(Cancelled):
        Weights(found, check=check).part("unet", kind, torch.float32)


def test_the_distance_is_that_of_the_weights(home: Path, models: Path) -> None:
    registry = Registry([models])
    base, near, far, file = (registry.get(name).part("unet") for name in ("base", "near", "far", "near file"))
    assert distance_between(base, base, check=nothing) == 0
    assert distance_between(near, base, check=nothing) == pytest.approx(0.1, abs=0.02)
    assert distance_between(far, base, check=nothing) == pytest.approx(0.5, abs=0.1)
    assert distance_between(file, base, check=nothing) == pytest.approx(distance_between(near, base, check=nothing))
    assert distance_between(registry.get("other").part("unet"), base, check=nothing) == float("inf")


def test_one_that_is_too_far_fills_by_itself_and_says_why(home: Path, models: Path) -> None:
    found, (hint,) = filling(models, "far")
    assert not found.inpaint
    assert found.hash == Registry([models]).get("far").hash
    assert "too far" in hint
    assert f"where {FARTHEST:g} is the most" in hint
    base = Registry([models]).get("base").part("unet").content_hash()
    # It is measured once.
    assert known_distance(found.part("unet").content_hash(), base) == pytest.approx(0.5, abs=0.1)
    (home / "checkpoints.toml").write_text(SOURCES + '["far"]\ninpainting = "difference"\n')
    assert filling(models, "far")[0].inpaint
    (home / "checkpoints.toml").write_text(SOURCES + '["far"]\ninpainting = "blend"\n')
    assert filling(models, "far") == (Registry([models]).get("far"), ())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("near", {"kind": "refine"}),
        ("near", {"kind": "generate"}),
        ("near", {"inpaint_controlnet": "union"}),
        ("velocity", {}),
        ("other", {}),
        ("inpainting", {}),
    ],
)
def test_where_it_does_not_belong_it_is_not_used(home: Path, models: Path, name: str, options: dict[str, Any]) -> None:
    assert filling(models, name, **options) == (Registry([models]).get(name), ())


def test_it_wants_both_sources_and_tells_them_by_content(home: Path, models: Path, tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    (home / "checkpoints.toml").write_text('["near"]\ninpainting = "difference"\n')
    found, (hint,) = filling(models, "near")
    assert not found.inpaint
    assert "there is none for it" in hint
    (home / "checkpoints.toml").unlink()
    assert filling(models, "near") == (Registry([models]).get("near"), ())
    folder = tmp_path / "some"
    for name in ("near", "inpainting"):
        shutil.copytree(models / name, folder / name)
    receipt = Receipt("diffusers/stable-diffusion-xl-1.0-inpainting-0.1", "main", "0" * 40, "", {})
    write_receipt(folder / "inpainting", receipt)
    assert not filling(folder, "near")[0].inpaint
    # The base in the Hugging Face cache.
    cache = home / ".cache/huggingface/hub/models--stabilityai--stable-diffusion-xl-base-1.0"
    shutil.copytree(models / "base", cache / "snapshots" / ("1" * 40))
    assert filling(folder, "near")[0].inpaint
    shutil.rmtree(cache)
    # Or a file of the published size, of which the hash is asked.
    file = save_single_file(models / "base", folder / "anything.safetensors")
    published = (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
    assert not filling(folder, "near")[0].inpaint
    monkeypatch.setitem(_PUBLISHED, ("SDXL", InpaintSource.BASE), _Published((), (published,)))
    assert filling(folder, "near")[0].inpaint
    monkeypatch.setitem(_PUBLISHED, ("SDXL", InpaintSource.BASE), _Published((), ((published[0], "0" * 64),)))
    assert not filling(folder, "near")[0].inpaint


def test_a_whole_fill_by_it_says_so_in_its_recipe(home: Path, models: Path) -> None:
    painted = done(models, "near")
    recipe = painted.layers[0].recipe
    assert recipe.settings.checkpoint == "near"
    assert recipe.checkpoint_hash == filling(models, "near")[0].hash
    assert recipe.checkpoint_hash != Registry([models]).get("near").hash
    (home / "checkpoints.toml").write_text(SOURCES + '["near"]\ninpainting = "blend"\n')
    blended = done(models, "near")
    assert blended.pictures.keys() != painted.pictures.keys()
    assert blended.layers[0].recipe.checkpoint_hash == Registry([models]).get("near").hash


def test_a_controlnet_that_it_should_fill_by_and_that_is_not_here_is_missed(home: Path, models: Path) -> None:
    (home / "checkpoints.toml").write_text(SOURCES + '["near"]\ninpainting = "controlnet"\n')
    assert ["so it fills without one" in hint for hint in done(models, "near").hints].count(True) == 1
    for options in ({"inpaint_controlnet": "off"}, {"kind": "refine"}):
        assert not any("fills without one" in hint for hint in done(models, "near", **options).hints)


@pytest.mark.parametrize(
    ("key", "words"), [("inpainting", "one of difference, controlnet, blend"), ("stands_for", "one of base")]
)
def test_settings_that_cannot_be_meant_are_named(home: Path, models: Path, key: str, words: str) -> None:
    (home / "checkpoints.toml").write_text(f'["near"]\n{key} = "magic"\n')
    with pytest.raises(CheckpointUnreadable, match=words):
        Registry([models]).get("near")


def test_how_each_fills_is_told_in_words(home: Path, models: Path, tmp_path: Path) -> None:
    registry = Registry([models])
    nets: dict[str, Any] = {}

    def words(name: str) -> str:
        return fill_method_words(registry.get(name), registry.list(), nets)

    assert words("inpainting") == "channels of its own"
    assert words("other") == "blending alone"
    filling(models, "near")
    filling(models, "far")
    assert words("near").startswith("its base's inpainting weights (distance 0.1")
    assert words("far").startswith("blending alone (its base is 0.")
    (home / "cache" / "distances.json").unlink()
    assert "which a fill measures" in words("near")
    net = inspect_controlnet(build_tiny_controlnet(models / "other", tmp_path / "some_inpaint"))
    nets[net.id] = net
    assert words("other") == "the ControlNet some_inpaint"
    told = '["far"]\ninpainting = "difference"\n["other"]\ninpainting = "blend"\n'
    (home / "checkpoints.toml").write_text(SOURCES + told)
    registry = Registry([models])
    assert words("far") == "its base's inpainting weights, as checkpoints.toml says"
    assert words("other") == "blending alone"
