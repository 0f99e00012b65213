"""``paintbridge fill`` over many pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.cli.exits import Exit

SIDE = 96


def picture(seed: int, dtype: type = np.uint8) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    return pixels if dtype is np.uint8 else (pixels / 255).astype(dtype)


def mask(x: int) -> np.ndarray:
    coverage = np.zeros((SIDE, SIDE, 1), np.uint8)
    coverage[30:50, x : x + 20] = 255
    return coverage


@pytest.fixture
def three(save: Callable[..., Path]) -> list[Path]:
    """Three pictures, each with a mask of its own."""
    for number in range(3):
        save(f"p{number}.mask.png", mask(10 * number + 5))
    return [save(f"p{number}.png", picture(number)) for number in range(3)]


def changed_columns(before: np.ndarray, after: np.ndarray) -> tuple[int, int]:
    columns = np.flatnonzero((before != after).any(axis=(0, 2)))
    return int(columns[0]), int(columns[-1])


JOB = ("--prompt", "a bird", "--seed", "1", "--strict")


def test_each_with_its_own_mask_into_a_folder(
    running: Path, run: Any, three: list[Path], load: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    done = run("fill", *three, "--own-mask", *JOB, "-o", folder, "--layer", folder, home=running)
    assert done.code == 0, done.err
    assert [line.split(",")[0] for line in done.out.splitlines()] == [
        str(folder / f"p{number}.fill.png") for number in range(3)
    ]
    for number in range(3):
        start = 10 * number + 5
        assert changed_columns(picture(number), load(folder / f"p{number}.fill.png")) == (start, start + 19)
        assert load(folder / f"p{number}.layer.png").shape == (SIDE, SIDE, 4)


def test_beside_each_by_one_rectangle_and_floats_stay_floats(
    running: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path
) -> None:
    images = [save("a.png", picture(0)), save("b.tif", picture(1, np.float32))]
    done = run("fill", *images, "--rect", "20,30,40,20", *JOB, "--batch", 2, "--json", home=running)
    assert done.code == 0, done.err
    names = [[Path(output["picture"]).name for output in one["outputs"]] for one in done.json["pictures"]]
    assert names == [["a.fill-1.png", "a.fill-2.png"], ["b.fill-1.tiff", "b.fill-2.tiff"]]
    assert load(tmp_path / "b.fill-1.tiff").dtype == np.float32


def test_one_that_fails_does_not_stop_the_others(running: Path, run: Any, three: list[Path], tmp_path: Path) -> None:
    three[1].write_bytes(three[1].read_bytes()[:200])
    three[2].with_name("p2.mask.png").unlink()
    done = run("fill", *three, "--own-mask", *JOB, "--json", home=running)
    assert done.code == Exit.REFUSED
    first, second, third = done.json["pictures"]
    assert Path(first["outputs"][0]["picture"]) == tmp_path / "p0.fill.png"
    assert "cannot be read" in second["error"]["message"]
    assert "p2.mask.png" in third["error"]["message"]
    assert (second["exit_code"], third["exit_code"]) == (Exit.REFUSED, Exit.REFUSED)
    assert done.err.count("paintbridge: ") == 2
    assert not (tmp_path / "p1.fill.png").exists()


def test_one_alone_needs_no_name_for_its_output(running: Path, run: Any, three: list[Path], tmp_path: Path) -> None:
    assert run("fill", three[0], "--own-mask", *JOB, home=running).code == 0
    assert (tmp_path / "p0.fill.png").exists()
    folder = tmp_path / "there"
    folder.mkdir()
    assert run("fill", three[0], "--own-mask", *JOB, "-o", folder, home=running).code == 0
    assert (folder / "p0.fill.png").exists()


def test_what_is_refused_before_anything_is_done(run: Any, three: list[Path], tmp_path: Path, home: Path) -> None:
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "p0.png"
    twin.write_bytes(three[0].read_bytes())
    for arguments, code, words in (
        ([*three, "--own-mask", "-o", tmp_path / "none"], Exit.REFUSED, "no folder"),
        ([three[0], twin, "--rect", "1,1,9,9", "-o", tmp_path], Exit.REFUSED, "same file"),
        (["--rect", "1,1,9,9"], Exit.USAGE, "No picture"),
        ([three[0], "--watch", tmp_path], Exit.USAGE, "Both"),
        (["--watch", tmp_path / "none"], Exit.REFUSED, "no folder"),
    ):
        done = run("fill", *arguments, *JOB, home=home)
        assert (done.code, done.out) == (code, "")
        assert words in done.err
    assert not list(tmp_path.rglob("*.fill.*"))
