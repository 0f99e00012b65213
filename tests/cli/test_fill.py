"""``paintbridge fill`` from file to file, through a real bridge and a tiny checkpoint."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import pyvips
from rich_pictures import SECRET, exif_block, jpeg, segment

from bridge.cli.exits import Exit

PHOTO = Path(__file__).parent.parent / "photos" / "lake-sherburne.jpg"
WIDTH = HEIGHT = 512


def photograph(bands: int = 3, dtype: type = np.uint8) -> np.ndarray:
    image = pyvips.Image.new_from_file(str(PHOTO)).crop(600, 300, WIDTH, HEIGHT)
    pixels = image.numpy() if bands >= 3 else image.colourspace("b-w").numpy().reshape(HEIGHT, WIDTH, 1)
    if dtype is np.uint16:
        return pixels.astype(np.uint16) * 257
    return (pixels / np.float32(255)) ** np.float32(2.2) if dtype is np.float32 else pixels


def blob(radius: int) -> np.ndarray:
    """A soft round selection."""
    coverage = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(coverage, (250, 230), radius, 255, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(coverage, (0, 0), 2)[:, :, None]


def distance_to(selection: np.ndarray) -> np.ndarray:
    """Pixels from each pixel to the nearest selected one."""
    return cv2.distanceTransform((selection[:, :, 0] == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("radius", [20, 150])
def test_nothing_changes_beyond_grow_and_feather(
    running: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path, radius: int, strict: bool
) -> None:
    before, selection = photograph(), blob(radius)
    image, mask, out, layer = save("a.png", before), save("m.png", selection), tmp_path / "o.png", tmp_path / "l.png"
    done = run(
        "fill", image, "--mask", mask, "--prompt", "", "--seed", 3, *(["--strict"] if strict else []),
        "-o", out, "--layer", layer, "--json", home=running,
    )  # fmt: skip
    assert done.code == 0, done.err
    after, painted = load(out), load(layer)
    recipe = done.json["outputs"][0]["recipe"]
    beyond = distance_to(selection)
    assert painted.shape == (HEIGHT, WIDTH, 4)
    assert not changed(before, after)[painted[:, :, 3] == 0].any()
    assert not changed(before, after)[
        beyond > recipe["settings"]["edges"]["grow"] + recipe["settings"]["edges"]["feather"]
    ].any()
    assert changed(before, after)[selection[:, :, 0] > 200].mean() > 0.9
    if strict:
        assert not changed(before, after)[selection[:, :, 0] == 0].any()
    else:
        assert beyond[painted[:, :, 3] > 0].max() <= done.json["reach"] + 0.5
        assert changed(before, after)[selection[:, :, 0] == 0].any()


@pytest.fixture
def taken_port() -> Iterator[int]:
    """One that another program listens at."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_a_bridge_is_started_for_the_command_and_goes_with_it(
    home: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path, taken_port: int
) -> None:
    empty = tmp_path / "home"
    done = run(
        "fill", save("a.png", photograph()), "--rect", "100,100,80,60", "-o", tmp_path / "o.png", "--json",
        home=empty, PAINTBRIDGE_MODELS_FOLDERS=str(home / "models"), PAINTBRIDGE_DEFAULT_CHECKPOINT="tiny",
        PAINTBRIDGE_A1111_PORT=str(taken_port),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "started for this command" in done.err
    assert done.json["outputs"][0]["recipe"]["settings"]["checkpoint"] == "tiny"
    assert changed(photograph(), load(tmp_path / "o.png"))[100:160, 100:180].mean() > 0.9
    assert not list(Path(empty).glob("runtime*"))


def test_the_same_seed_gives_the_same_pixels_and_each_picture_has_its_own(
    running: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path
) -> None:
    image = save("a.png", photograph())
    job = ["fill", image, "--rect", "200,200,90,70", "--prompt", "a red flower"]
    both = run(*job, "--seed", 11, "--batch", 2, "-o", tmp_path / "o.png", "--json", home=running).json
    assert [Path(output["picture"]).name for output in both["outputs"]] == ["o-1.png", "o-2.png"]
    assert [output["seed"] for output in both["outputs"]] == [11, 12]
    alone = run(*job, "--seed", 12, "-o", tmp_path / "alone.png", home=running)
    assert alone.out == f"{tmp_path / 'alone.png'} (seed 12)\n"
    assert alone.err == ""
    first, second, again = (load(tmp_path / name) for name in ("o-1.png", "o-2.png", "alone.png"))
    assert np.array_equal(second, again)
    assert changed(first, second).any()


@pytest.mark.parametrize(
    ("ending", "bands", "dtype", "icc"),
    [
        (".png", 3, np.uint16, None),
        (".tif", 3, np.float32, None),
        (".png", 1, np.uint8, None),
        (".webp", 3, np.uint8, None),
        (".tif", 3, np.uint16, "p3"),
    ],
)
def test_other_kinds_of_pictures(
    running: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path,
    ending: str, bands: int, dtype: type, icc: str | None,
) -> None:  # fmt: skip
    pixels = photograph(bands, dtype)
    profile = pyvips.Image.profile_load(icc) if icc else None
    options = {"lossless": True, "exact": True} if ending == ".webp" else {}
    image = save(f"a{ending}", pixels, icc=profile, **options)
    out = tmp_path / f"o{ending}"
    done = run("fill", image, "--rect", "300,200,60,50", "--prompt", "a bird", "-o", out, "--json", home=running)
    assert done.code == 0, done.err
    after, recipe = load(out), done.json["outputs"][0]["recipe"]
    assert after.dtype == dtype
    assert after.shape == pixels.shape
    reach = math.ceil(recipe["settings"]["edges"]["grow"] + recipe["settings"]["edges"]["feather"])
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[200 - reach : 250 + reach, 300 - reach : 360 + reach] = False
    assert not changed(pixels, after)[outside].any()
    assert changed(pixels, after)[205:245, 305:355].mean() > 0.9
    if profile:
        assert pyvips.Image.new_from_file(str(out)).get("icc-profile-data") == profile


def test_refine_needs_no_selection_and_generate_no_picture(
    running: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path
) -> None:
    image = save("a.png", photograph())
    refined = run("refine", image, "--strength", "0.4", "-o", tmp_path / "r.png", "--json", home=running)
    assert refined.code == 0, refined.err
    assert changed(photograph(), load(tmp_path / "r.png")).mean() > 0.9
    made = run("generate", "--size", "96x64", "--prompt", "a blue sky", "-o", tmp_path / "g.png", home=running)
    assert made.code == 0, made.err
    assert load(tmp_path / "g.png").shape == (64, 96, 3)


def test_a_jpeg_says_that_it_is_lossy(running: Path, run: Any, tmp_path: Path) -> None:
    done = run("fill", PHOTO, "--rect", "100,100,64,64", "-o", tmp_path / "o.jpg", home=running)
    assert done.code == 0
    assert "lossy" in done.err


def test_what_is_left_out_of_a_file_is_said(running: Path, run: Any, tmp_path: Path) -> None:
    path, out = tmp_path / "phone.jpg", tmp_path / "out.png"
    note = {0x927C: (7, SECRET), 0x829A: (5, b"\1\0\0\0\x7d\0\0\0")}
    path.write_bytes(jpeg(segment(0xE1, b"Exif\0\0" + exif_block({}, note, small=SECRET)), trailer=SECRET))
    job = ("--rect", "4,4,6,6", "--prompt", "", "--seed", 1, "-o", out)
    done = run("fill", path, *job, "--json", home=running)
    assert done.code == 0, done.err
    [hint] = [hint for hint in done.json["hints"] if hint.startswith("Left out")]
    assert "MakerNote" in hint
    assert "appended" in hint
    assert SECRET[-80:] not in out.read_bytes()
    assert f"Note: {hint}" in run("fill", path, *job, home=running).err


def test_what_is_refused(running: Path, run: Any, save: Callable[..., Path], tmp_path: Path) -> None:
    image, out = save("a.png", photograph()), tmp_path / "o.png"
    small, black = save("s.png", blob(20)[:100]), save("b.png", blob(20) * 0)
    rect = ["--rect", "10,10,50,50"]
    for arguments, words in (
        ([image, "--mask", small], "512 x 100"),
        ([image, "--mask", black], "nothing"),
        ([image, "--rect", "600,0,5,5"], "outside"),
        ([tmp_path / "none.png", *rect], "no file"),
        ([image, *rect, "--checkpoint", "unheard-of"], "unheard-of"),
        ([image, *rect, "--layer", out], "same file"),
        ([image, *rect, "--layer", tmp_path / "l.jpg"], "transparency"),
    ):
        done = run("fill", *arguments, "-o", out, "--json", home=running)
        assert done.code == Exit.REFUSED, done.err
        assert words in done.err
        assert done.json["exit_code"] == Exit.REFUSED
        assert words in done.json["error"]["message"]
        assert "Traceback" not in done.err
        assert not out.exists()


def test_no_bridge(running: Path, run: Any, save: Callable[..., Path], tmp_path: Path) -> None:
    job = ["fill", save("a.png", photograph()), "--rect", "10,10,50,50", "-o", tmp_path / "o.png", "--json"]
    nobody = run(*job, home=running, PAINTBRIDGE_URL="ws://127.0.0.1:9", PAINTBRIDGE_TOKEN="t" * 40)
    assert nobody.code == Exit.NO_BRIDGE
    assert nobody.json["error"]["code"] == "no_bridge"
    url = json.loads((running / "runtime.json").read_text())["url"]
    stranger = run(*job, home=running, PAINTBRIDGE_URL=url, PAINTBRIDGE_TOKEN="t" * 40)
    assert stranger.code == Exit.NO_BRIDGE
    assert stranger.json["error"]["code"] == "unauthorized"
