"""File names in either of Unicode's normal forms or in no encoding, words that are no text, and saves that fail."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.cli.exits import CliError, Exit
from bridge.cli.pictures import open_picture
from bridge.cli.saving import Shape, check_output

SIDE = 96
JOB = ("--prompt", "", "--seed", "1", "--strict")
ANY_BYTES = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
LATIN1 = os.fsdecode("Café".encode("latin-1"))
NFC, NFD = (unicodedata.normalize(form, "Café Đà Nẵng") for form in ("NFC", "NFD"))


def picture(height: int = SIDE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, SIDE, 3), np.uint8)


def mask() -> np.ndarray:
    coverage = np.zeros((SIDE, SIDE, 1), np.uint8)
    coverage[30:50, 30:50] = 255
    return coverage


@pytest.fixture
def put(save: Callable[..., Path], tmp_path: Path) -> Callable[[str, np.ndarray], Path]:
    """A picture under any name."""

    def write(name: str, pixels: np.ndarray) -> Path:
        return save("plain.png", pixels).rename(tmp_path / name)

    return write


@ANY_BYTES
def test_a_name_that_is_not_utf8_does_not_end_a_batch(
    running: Path, run: Any, put: Callable[..., Path], tmp_path: Path
) -> None:
    odd, broken, plain = put(f"{LATIN1}.png", picture()), tmp_path / f"{LATIN1}-2.png", put("sound.png", picture())
    broken.write_bytes(odd.read_bytes()[:500])
    done = run("fill", odd, broken, plain, "--rect", "30,30,20,20", *JOB, "--json", home=running)
    assert done.code == Exit.REFUSED
    first, second, third = done.json["pictures"]
    assert os.fsencode(first["outputs"][0]["picture"]) == bytes(tmp_path) + b"/Caf\xe9.fill.png"
    assert Path(first["outputs"][0]["picture"]).exists()
    assert "cannot be read" in second["error"]["message"]
    assert third["outputs"]
    assert "went wrong inside" not in done.err


@ANY_BYTES
def test_such_a_name_is_printed_byte_by_byte(running: Path, put: Callable[..., Path], tmp_path: Path) -> None:
    odd = put(f"{LATIN1}.png", picture())
    command = [sys.executable, "-m", "bridge.cli", "fill", os.fsencode(odd), "--rect", "30,30,20,20", *JOB]
    environment = {**os.environ, "PAINTBRIDGE_HOME": str(running), "PYTHONUTF8": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(bytes(tmp_path) + b"/Caf\xe9.fill.png (seed 1)")


@pytest.mark.skipif(sys.platform == "darwin", reason="the two forms are one name there")
def test_either_normal_form_finds_the_file(running: Path, run: Any, put: Callable[..., Path], tmp_path: Path) -> None:
    put(f"{NFC}.png", picture())
    put(f"{NFD}.mask.png", mask())
    # Typed in one form, on disk in the other; and a picture and its own mask that differ.
    done = run("fill", tmp_path / f"{NFD}.png", "--mask", tmp_path / f"{NFC}.mask.png", *JOB, "-o", tmp_path / "a.png",
               home=running)  # fmt: skip
    assert done.code == 0, done.err
    done = run("fill", tmp_path / f"{NFC}.png", "--own-mask", *JOB, home=running)
    assert done.code == 0, done.err
    assert (tmp_path / f"{NFC}.fill.png").exists()


def test_an_exact_name_goes_before_a_like_one(put: Callable[..., Path], tmp_path: Path) -> None:
    put(f"{NFC}.png", picture())
    if not (tmp_path / f"{NFD}.png").exists():
        put(f"{NFD}.png", picture(48))
        assert open_picture(tmp_path / f"{NFD}.png").height == 48
    assert open_picture(tmp_path / f"{NFC}.png").height == SIDE


@pytest.mark.parametrize("flag", ["--prompt", "--negative", "--checkpoint"])
def test_half_a_character_is_refused_before_anything_is_done(
    flag: str, run: Any, put: Callable[..., Path], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run("fill", put("a.png", picture()), "--rect", "1,1,9,9", flag, "a bird \ud83d", home=home)
    assert ended.value.code == Exit.USAGE
    assert "UTF-8" in capfd.readouterr().err


# ---------------------------------------------------------------- what no save must lose


@pytest.mark.parametrize(
    ("ending", "longest"), [(".webp", 16383), (".jpg", 65500), (".jpeg", 65500), (".png", 100_000), (".tif", 100_000)]
)
def test_the_formats_limits_are_known_before(ending: str, longest: int, tmp_path: Path) -> None:
    path = tmp_path / f"out{ending}"
    check_output(path, Shape(longest, 8))
    check_output(path, Shape(8, longest))
    if longest < 100_000:
        for shape in (Shape(longest + 1, 8), Shape(8, longest + 1)):
            with pytest.raises(CliError, match=f"at most {longest} pixels"):
                check_output(path, shape)


def test_nothing_is_painted_that_could_not_be_saved(
    run: Any, save: Callable[..., Path], home: Path, tmp_path: Path
) -> None:
    strip = save("strip.png", np.zeros((8, 4100, 3), np.uint8))
    taken = tmp_path / "taken.png"
    taken.mkdir()
    for command in (
        ["upscale", strip, "--scale", 4, "-o", tmp_path / "out.webp"],
        ["upscale", strip, "--scale", 4, "--rect", "0,0,4099,8", "-o", tmp_path / "out.webp"],
        ["generate", "--size", "16384x8", "--prompt", "", "-o", tmp_path / "out.webp"],
        ["refine", strip, "-o", taken],
        ["fill", strip, "--rect", "0,0,8,8", "-o", tmp_path / f"{'x' * 300}.png"],
        ["fill", strip, "--rect", "0,0,8,8", "--batch", 2, "-o", tmp_path / f"{'x' * 251}.png"],
    ):
        # No bridge runs at this home, and none is asked for.
        done = run(*command, home=home, PAINTBRIDGE_URL="ws://127.0.0.1:9/ws", PAINTBRIDGE_TOKEN="none")
        assert (done.code, done.out) == (Exit.REFUSED, ""), command
    assert sorted(path.name for path in tmp_path.iterdir()) == ["strip.png", "taken.png"]


def test_a_name_of_full_length_can_be_written(
    running: Path, run: Any, put: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / f"{'x' * 251}.png"
    done = run("fill", put("a.png", picture()), "--rect", "30,30,20,20", *JOB, "-o", out, home=running)
    assert done.code == 0, done.err
    assert out.exists()


def test_what_was_painted_is_kept_where_the_save_fails(
    running: Path, run: Any, put: Callable[..., Path], load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its lower half is missing: the context above can be read, and the whole picture cannot.
    source = put("source.png", picture(1000))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    kept = tmp_path / "temporary"
    kept.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    done = run("fill", source, "--rect", "30,30,20,20", "--context", "selection", *JOB, "--batch", 2, "--json",
               "-o", tmp_path / "out.png", home=running)  # fmt: skip
    assert done.code == Exit.REFUSED
    hint = done.json["error"]["hint"]
    layers = sorted(kept.rglob("*.png"), key=lambda path: path.name)
    assert [path.name for path in layers] == ["layer-1.png", "layer-2.png"]
    assert all(str(path) in hint for path in layers)
    assert all(load(path).shape[2] == 4 and load(path)[..., 3].any() for path in layers)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.png", "temporary"]
