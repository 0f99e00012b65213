"""``--condition`` and ``--region`` of the command line, through a real bridge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.cli.arguments import build_parser
from bridge.cli.conditions import parse_condition, parse_region
from bridge.cli.exits import Exit

WIDTH, HEIGHT = 96, 80


def pictures(save: Callable[..., Path]) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    drawing = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    drawing[30:40] = drawing[:, 50:58] = 0
    return save("a.png", rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)), save("lines.png", drawing)


@pytest.mark.parametrize("command", ["fill", "refine", "generate"])
def test_it_guides_every_kind_of_job(
    running: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path, command: str
) -> None:
    image, lines = pictures(save)
    subject = ["--size", f"{WIDTH}x{HEIGHT}"] if command == "generate" else [image, "--rect", "20,20,40,40"]
    common = [command, *subject, "--prompt", "a lake", "--seed", 3, "--steps", 4]
    said = f"scribble={lines},strength=0.8,start=0,end=0.6"
    done = run(*common, "--condition", said, "-o", tmp_path / "o.png", "--json", home=running)
    assert done.code == 0, done.err
    (use,) = done.json["outputs"][0]["recipe"]["settings"]["conditioning"]["conditions"]
    assert (use["kind"], use["strength"], use["start"], use["end"]) == ("scribble", 0.8, 0.0, 0.6)
    assert use["controlnet"] == "tiny_scribble"
    assert run(*common, "-o", tmp_path / "plain.png", home=running).code == 0
    assert not np.array_equal(load(tmp_path / "o.png"), load(tmp_path / "plain.png"))


def test_a_mask_says_where_it_counts(
    running: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path
) -> None:
    image, lines = pictures(save)
    mask = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    mask[:, : WIDTH // 2] = 255
    where = save("where.png", mask)
    common = ["refine", image, "--prompt", "a lake", "--seed", 3, "--steps", 4]
    for name, condition in (("all", f"scribble={lines}"), ("half", f"scribble={lines},mask={where}")):
        assert run(*common, "--condition", condition, "-o", tmp_path / f"{name}.png", home=running).code == 0
    assert not np.array_equal(load(tmp_path / "all.png"), load(tmp_path / "half.png"))


def test_what_cannot_be_is_said(running: Path, run: Any, save: Callable[..., Path], tmp_path: Path) -> None:
    image, lines = pictures(save)
    common = ["refine", image, "-o", tmp_path / "o.png"]
    refused = run(*common, "--condition", f"label_map={lines}", "--json", home=running)
    assert refused.code == Exit.REFUSED
    assert refused.json["error"]["code"] == "unsupported_condition"
    small = save("small.png", np.zeros((10, 10, 3), np.uint8))
    wrong = run(*common, "--condition", f"scribble={small}", home=running)
    assert wrong.code == Exit.REFUSED
    assert "10 x 10" in wrong.err
    assert run(*common, "--condition", f"scribble={tmp_path / 'none.png'}", home=running).code == Exit.REFUSED


def test_it_is_read_with_its_options() -> None:
    assert parse_condition("scribble=a,b=c.png") == {"kind": "scribble", "picture": Path("a,b=c.png")}
    said = parse_condition("label_map=x.png,strength=0.5,start=0.1,end=0.9,mask=m.png,controlnet=my net")
    assert said == {
        "kind": "label_map", "picture": Path("x.png"), "strength": 0.5, "start": 0.1, "end": 0.9, "mask": Path("m.png"),
        "controlnet": "my net",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "scribble", "scribble=", "dream=a.png", "lines=a.png", "scribble=a.png,strength=3",
        "scribble=a.png,strength=nan", "scribble=a.png,start=x", "scribble=a.png,start=0.8,end=0.2",
    ],
)  # fmt: skip
def test_what_is_said_wrongly_is_a_usage_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_condition(text)
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(["refine", "a.png", "-o", "b.png", "--condition", text])
    assert ended.value.code == Exit.USAGE


def test_they_are_listed(home: Path, run: Any) -> None:
    listed = run("models", "list", "--json", home=home)
    (net,) = listed.json["controlnets"]
    assert (net["name"], net["conditions"], net["program"]) == ("tiny_scribble", ["scribble"], "Paintbridge")
    assert "> tiny_scribble: ControlNet for Stable Diffusion 1, takes scribble" in run("models", "list", home=home).out


def test_a_region_is_a_mask_and_a_prompt_that_may_have_commas() -> None:
    assert parse_region("a,b.png=an apple, red") == {"mask": Path("a,b.png"), "prompt": "an apple, red"}
    said = parse_region("m.png=x=y,negative_prompt=leaves, stalks")
    assert said == {"mask": Path("m.png"), "prompt": "x=y", "negative_prompt": "leaves, stalks"}
    for wrong in ("an apple", "=an apple", f"m.png={'x' * 8193}"):
        with pytest.raises(ValueError, match="region"):
            parse_region(wrong)


def test_a_region_of_the_command_line_is_in_the_recipe(
    running: Path, run: Any, save: Callable[..., Path], tmp_path: Path
) -> None:
    mask = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    mask[:, : WIDTH // 2] = 255
    common = ["generate", "--size", f"{WIDTH}x{HEIGHT}", "--prompt", "a lake", "--steps", 2, "-o", tmp_path / "o.png"]
    done = run(*common, "--region", f"{save('left.png', mask)}=snow, deep", "--json", home=running)
    assert done.code == 0, done.err
    (region,) = done.json["outputs"][0]["recipe"]["settings"]["conditioning"]["regions"]
    assert (region["prompt"], region["mask"]["channels"]) == ("snow, deep", 1)
    assert run(*common, "--region", f"{save('black.png', 0 * mask)}=snow", home=running).code == Exit.REFUSED
    assert run(*common, "--region", f"{save('small.png', mask[8:])}=snow", home=running).code == Exit.REFUSED
