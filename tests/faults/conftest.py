"""Bridges whose machine misbehaves, as processes of their own, and tiny checkpoints, sound and damaged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import build_tiny_sd1
from whole_bridge import BridgeProcess, serving

SUPPORT = Path(__file__).parents[1] / "support"


def damage(folder: Path, how: str) -> None:
    """Truncate the denoiser's file, make a weight of it NaN, or give one another shape."""
    weights = next((folder / "unet").glob("*.safetensors"))
    if how == "truncated":
        weights.write_bytes(weights.read_bytes()[:-1000])
        return
    tensors = load_file(weights)
    if how == "nan":
        tensors["conv_out.bias"][0] = torch.nan
    else:
        tensors["conv_out.bias"] = torch.zeros(7)
    save_file(tensors, weights, metadata={"format": "pt"})


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`sound` and `other`, and copies of `sound` that are `truncated`, hold a `nan`, or have a `misshapen` tensor."""
    folder = tmp_path_factory.mktemp("models")
    build_tiny_sd1(folder / "other", inpaint=True, seed=1)
    build_tiny_sd1(folder / "sound", inpaint=True)
    for how in ("truncated", "nan", "misshapen"):
        damage(Path(shutil.copytree(folder / "sound", folder / how)), how)
    return folder


@pytest.fixture(scope="session")
def serve(models: Path, tmp_path_factory: pytest.TempPathFactory) -> partial:
    """A context manager that serves from a new home; its keywords are the environment's."""

    def start(**environment: str) -> object:
        home = tmp_path_factory.mktemp("home")
        shutil.copytree(models, home / "models")
        paths = {"PYTHONPATH": str(SUPPORT), **environment}
        return serving(home, "--default-checkpoint", "sound", module="faulty_bridge", environment=paths)

    return partial(start)


@pytest.fixture(scope="session")
def faulty(serve: partial) -> Iterator[BridgeProcess]:
    """One bridge for all tests after which it goes on."""
    with serve() as process:
        yield process
