"""The page's tests: a bridge with small checkpoints, pictures, a browser, and the scenes that are played in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from chromium import chromium, node_folder
from private_home import private_home
from small_hub import SmallHub, serve_hub
from tiny_checkpoints import build_tiny_sd1
from tiny_loras import build_tiny_lora
from whole_bridge import PHOTOS, BridgeProcess, serving

from bridge.models import RECOMMENDED

__all__ = ["chromium", "node_folder", "private_home"]

SHOTS = Path(__file__).parents[2] / "test-output" / "page"
Play = Callable[..., None]


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallHub]:
    """Holds the first of the recommended checkpoints, and gives the half of it until its gate is opened."""
    served = SmallHub(RECOMMENDED[0].hub_id, build_tiny_sd1(tmp_path_factory.mktemp("hub") / "tiny", inpaint=True))
    served.held["unet/diffusion_pytorch_model.safetensors"] = 100_000
    with serve_hub(served):
        yield served


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory, hub: SmallHub) -> Iterator[BridgeProcess]:
    """A bridge for all scenes: `tiny` paints 64 pixels, `large` 768, `slow` takes its time, `small` is like mini;
    and a LoRA.
    """
    home = tmp_path_factory.mktemp("page-home")
    models = home / "models"
    tiny = build_tiny_sd1(models / "tiny", inpaint=True)
    (models / "loras").mkdir()
    build_tiny_lora(tiny, models / "loras" / "ink.safetensors", metadata={"modelspec.trigger_phrase": "ink wash"})
    build_tiny_sd1(models / "slow", inpaint=True, size=256, steps=400)
    build_tiny_sd1(models / "large", inpaint=True, size=768, steps=400)
    build_tiny_sd1(models / "small", inpaint=True, known_names=("balloon", "star", "orange"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HF_ENDPOINT", hub.url)
        with serving(home, "--default-checkpoint", "tiny") as process:
            yield process


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures for the scenes, which leave theirs beside them: ``photo.png``, and ``glass.png``, half transparent."""
    folder = tmp_path_factory.mktemp("page")
    photo = cv2.resize(cv2.imread(str(PHOTOS / "lake-sherburne.jpg")), (320, 240), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(folder / "photo.png"), photo)
    alpha = np.linspace(1, 254, 320).round().astype(np.uint8)[None].repeat(240, axis=0)
    cv2.imwrite(str(folder / "glass.png"), np.dstack([photo, alpha]))
    return folder


@pytest.fixture
def play(serve: BridgeProcess, hub: SmallHub, pictures: Path, node_folder: Path, chromium: str) -> Play:
    """Play a scene; fails with what it has to say."""

    def scene(name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "CHROMIUM": chromium,
            "HUB": hub.url,
            "PAINTBRIDGE_HOME": str(serve.home),
            "SCRATCH": str(pictures),
            "SHOTS": str(SHOTS),
        }
        command = ["node", "--test", "--test-reporter=spec", f"scenes/{name}.test.mjs"]
        done = subprocess.run(
            command, cwd=node_folder, env=environment, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]

    return scene
