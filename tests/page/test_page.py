"""The page in a real Chromium, over a real bridge with its real worker: the scenes, and what they have left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from whole_bridge import BridgeProcess

Play = Callable[[str], None]


def rgba(path: Path) -> np.ndarray:
    """A PNG's bytes, (h, w, 4)."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return pixels if pixels.shape[2] == 4 else cv2.cvtColor(pixels, cv2.COLOR_BGR2BGRA)


def test_a_fill_from_the_file_to_the_file(play: Play, pictures: Path) -> None:
    play("fill")
    # The brush's reach: 15 % of its range around the line from (120, 120) to (180, 130), and the pixel on its rim.
    reach = np.full((240, 320), 255, np.uint8)
    cv2.line(reach, (120, 120), (180, 130), 0)
    distance = cv2.distanceTransform(reach, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    radius = (2 + (0.6 * 320 - 2) * 0.3**2) / 2
    for name in ("photo", "glass"):
        source, painted = rgba(pictures / f"{name}.png"), rgba(pictures / f"{name}-painted.png")
        layer = rgba(pictures / f"{name}-layer.png")
        assert painted.shape == layer.shape == source.shape
        untouched = layer[..., 3] == 0
        assert np.array_equal(painted[untouched], source[untouched]), name
        assert untouched[distance > radius + 2].all(), name
        assert (painted != source).any(axis=2)[distance < radius / 2].mean() > 0.9, name


def test_layers_and_an_enlarged_picture(play: Play, pictures: Path) -> None:
    play("layers")
    source, enlarged = rgba(pictures / "photo.png"), rgba(pictures / "photo-enlarged.png")
    assert enlarged.shape == (480, 640, 4)
    # The same picture; looked at above what was painted before, which is not in the source.
    known = cv2.resize(source, (640, 480), interpolation=cv2.INTER_CUBIC)[:160, :, :3].astype(float)
    assert np.abs(enlarged[:160, :, :3] - known).mean() < 2


@pytest.mark.parametrize("scene", ["select", "checkpoints", "looks", "prefix"])
def test_scene(play: Play, scene: str) -> None:
    play(scene)


def test_what_goes_wrong_is_told_and_the_token_is_in_no_log(play: Play, serve: BridgeProcess) -> None:
    play("wire")
    log = (serve.home / "bridge.log").read_text()
    assert "connected" in log
    assert serve.address().token not in log


def test_a_page_of_another_site_gets_nothing(play: Play, serve: BridgeProcess) -> None:
    log = serve.home / "bridge.log"
    before = log.read_text()
    play("strangers")
    said = log.read_text().removeprefix(before)
    assert " connected " not in said
    assert " job id=" not in said
