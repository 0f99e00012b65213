"""The whole bridge as a user runs it: a process of its own, its real worker, and the real client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl
from tiny_controlnets import build_tiny_controlnet
from tiny_flux1 import build_tiny_flux1
from tiny_flux2 import build_tiny_flux2
from tiny_loras import build_tiny_lora
from tiny_z_image import build_tiny_z_image
from tiny_z_image_controlnets import build_tiny_z_image_controlnet
from whole_bridge import BridgeProcess, serving

from bridge.client import Bridge


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with tiny checkpoints: `inpaint` and `base` paint 64 pixels, `large` 256, `slow` takes its time, and
    `klein`, FLUX.2's, `zimage`, whose fills `zimage_union` guides, and `schnell`, FLUX.1's. And LoRAs: `ink` for all
    of SD1, `large` for none, and a pickle; and the name of a textual inversion.
    """
    home = tmp_path_factory.mktemp("home")
    build_tiny_sd1(home / "models" / "inpaint", inpaint=True)
    build_tiny_sd1(home / "models" / "base", inpaint=False)
    build_tiny_sd1(home / "models" / "large", inpaint=False, size=256)
    build_tiny_flux2(home / "models" / "klein", size=128)
    build_tiny_z_image(home / "models" / "zimage", size=128)
    build_tiny_flux1(home / "models" / "schnell", kind="schnell", size=128)
    guides = home / "models" / "controlnet"
    build_tiny_controlnet(home / "models" / "base", guides / "tiny_scribble", seed=1, speaks=0.3)
    build_tiny_controlnet(home / "models" / "base", guides / "tiny_seg", seed=2, speaks=0.3)
    build_tiny_z_image_controlnet(guides / "zimage_union")
    build_tiny_sd1(home / "models" / "slow", inpaint=True, size=256, steps=400)
    loras = home / "models" / "loras"
    said = {"modelspec.trigger_phrase": "inkwash"}
    build_tiny_lora(home / "models" / "inpaint", loras / "ink.safetensors", metadata=said)
    build_tiny_lora(build_tiny_sdxl(home / "elsewhere", inpaint=False), loras / "large.safetensors")
    (loras / "pickled.safetensors").write_bytes(b"\x80\x04" + bytes(64))
    (home / "models" / "embeddings").mkdir()
    (home / "models" / "embeddings" / "EasyNegative.pt").write_bytes(b"")
    return home


@pytest.fixture(scope="session")
def bridge_process(models: Path) -> Iterator[BridgeProcess]:
    """A bridge on a free port, for all tests of this folder."""
    with serving(models, "--default-checkpoint", "inpaint") as process:
        yield process


@pytest.fixture
def bridge(bridge_process: BridgeProcess) -> Iterator[Bridge]:
    with bridge_process.connect() as connected:
        yield connected
