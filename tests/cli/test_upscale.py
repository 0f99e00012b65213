"""``paintbridge upscale`` from file to file, through a real bridge and tiny checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import pyvips

from bridge.cli.exits import Exit

PHOTO = Path(__file__).parent.parent / "photos" / "lake-sherburne.jpg"


def photograph(bands: int = 3, dtype: type = np.uint8) -> np.ndarray:
    image = pyvips.Image.new_from_file(str(PHOTO)).thumbnail_image(120)
    pixels = image.numpy() if bands >= 3 else image.colourspace("b-w").numpy()[:, :, None]
    if bands == 4:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
        pixels[:, :40, 3] = 0
    return pixels.astype(dtype) * 257 if dtype is np.uint16 else pixels


def reduced(pixels: np.ndarray, scale: int) -> np.ndarray:
    size = (pixels.shape[1] // scale, pixels.shape[0] // scale)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize(("bands", "dtype"), [(3, np.uint8), (3, np.uint16), (1, np.uint8), (4, np.uint8)])
def test_size_depth_and_colours_are_the_pictures_own(
    running: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path, scale: int, bands: int, dtype: type
) -> None:
    before = photograph(bands, dtype)
    image = save("a.png", before)
    done = run("upscale", image, "--scale", scale, "--checkpoint", "tiny", "--json", home=running)
    assert done.code == 0, done.err
    path = tmp_path / f"a-{scale}x.png"
    assert done.json["outputs"][0]["picture"] == str(path)
    after = load(path)
    assert after.shape == (before.shape[0] * scale, before.shape[1] * scale, bands)
    assert after.dtype == dtype
    unit = 257 if dtype is np.uint16 else 1
    shown = slice(48, None) if bands == 4 else slice(None)
    difference = reduced(after, scale)[:, shown].astype(float) - before[:, shown]
    assert np.abs(difference).mean() < 1.0 * unit
    if bands == 4:
        assert (after[:, : 38 * scale] == 0).all()
        assert (after[:, 42 * scale :, 3] == 255).all()
    if dtype is np.uint16:
        assert len(np.unique(after)) > 5000


def test_profile_and_exif_are_kept_and_a_rectangle_is_cut_out(
    running: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path
) -> None:
    icc = bytes(pyvips.Image.profile_load("p3"))
    upright = photograph()
    # Turned by a quarter in the file; upright again for whoever looks at it.
    image = save("a.jpg", np.ascontiguousarray(np.rot90(upright)), icc=icc, orientation=6, Q=100)
    out = tmp_path / "o.png"
    done = run(
        "upscale", image, "--rect", "10,20,51,33", "--checkpoint", "tiny", "-o", out, "--json", home=running,
    )  # fmt: skip
    assert done.code == 0, done.err
    after = pyvips.Image.new_from_file(str(out))
    assert (after.width, after.height) == (102, 66)
    assert after.get_typeof("exif-data")
    assert not (after.get_typeof("orientation") and after.get("orientation") != 1)
    assert after.get("icc-profile-data") == icc
    difference = reduced(after.numpy(), 2).astype(float) - upright[20:53, 10:61]
    assert np.abs(difference).mean() < 2.5


def test_a_prompt_a_seed_and_a_batch_reach_the_model(
    running: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path
) -> None:
    image = save("a.png", photograph()[:40, :48])
    common = ("--checkpoint", "large", "--prompt", "a lake", "--steps", 4, "--seed", 5, "--strength", 0.5)
    done = run("upscale", image, *common, "--batch", 2, "-o", tmp_path / "o.png", "--json", home=running)
    assert done.code == 0, done.err
    one, two = (load(tmp_path / f"o-{number}.png") for number in (1, 2))
    assert one.shape == two.shape == (80, 96, 3)
    assert not np.array_equal(one, two)
    recipe = done.json["outputs"][1]["recipe"]
    assert (
        recipe["settings"]["scale"],
        recipe["settings"]["sampling"]["seed"],
        recipe["settings"]["sampling"]["strength"],
        recipe["settings"]["kind"],
    ) == (2, 6, 0.5, "upscale")
    run("upscale", image, *common[:-4], "--seed", 6, "--strength", 0.5, "-o", tmp_path / "again.png", home=running)
    assert np.array_equal(load(tmp_path / "again.png"), two)


def test_refused(running: Path, run: Any, save: Callable[..., Path], tmp_path: Path) -> None:
    image = save("a.png", photograph())
    with pytest.raises(SystemExit) as ended:
        run("upscale", image, "--scale", 3, home=running)
    assert ended.value.code == Exit.USAGE
    outside = run("upscale", image, "--rect", "500,500,10,10", home=running)
    assert outside.code == Exit.REFUSED
