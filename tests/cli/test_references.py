"""References on the command line, through a real bridge and an IP-Adapter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_ip_adapters import build_tiny_image_encoder, build_tiny_ip_adapter

from bridge.cli.conditions import parse_condition
from bridge.cli.exits import Exit


def test_a_reference_of_another_size_is_painted_and_named_in_the_recipe(
    running: Path, run: Any, save: Callable[..., Path], load: Any, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    image, other = (save(f"{side}.png", rng.integers(0, 256, (side, 96, 3), np.uint8)) for side in (80, 50))
    common = ["refine", image, "--seed", 3, "--steps", 4, "--json"]
    refused = run(*common, "--condition", f"reference={other}", "-o", tmp_path / "o.png", home=running)
    assert refused.json["error"]["code"] == "unsupported_condition"
    assert "IP-Adapter" in refused.json["error"]["message"]
    models = running / "models"
    adapter = build_tiny_ip_adapter(models / "tiny", models / "controlnet" / "ip-adapter_sd15.safetensors")
    build_tiny_image_encoder(models / "clip_vision" / "vit")
    try:
        said = f"reference={other},name=rock,strength=0.6"
        named = ["--prompt", "a <layer:rock> by the lake", "--condition", said]
        done = run(*common, *named, "-o", tmp_path / "with.png", home=running)
        assert done.code == 0, done.err
        recipe = done.json["outputs"][0]["recipe"]
        (use,) = recipe["settings"]["conditioning"]["conditions"]
        assert (use["kind"], use["name"], use["controlnet"]) == ("reference", "rock", "ip-adapter_sd15")
        assert (use["picture"]["width"], use["picture"]["height"]) == (96, 50)
        assert [len(one) for one in recipe["controlnet_hashes"]] == [64]
        assert run(*common, "--prompt", "a by the lake", "-o", tmp_path / "plain.png", home=running).code == 0
        assert not np.array_equal(load(tmp_path / "with.png"), load(tmp_path / "plain.png"))
        for wrong in (f"reference={other},role=style", f"reference={other},name=cat"):
            done = run(*common, *named[:2], "--condition", wrong, "-o", tmp_path / "o.png", home=running)
            assert done.code == Exit.REFUSED, done.err
    finally:
        adapter.unlink()


def test_it_is_read_with_its_role_and_name() -> None:
    said = parse_condition("reference=a.png,role=style,name=the sea")
    assert said == {"kind": "reference", "picture": Path("a.png"), "role": "style", "name": "the sea"}
    for wrong in ("reference=a.png,role=colour", "scribble=a.png,name=cat", "depth=a.png,role=style"):
        with pytest.raises(ValueError, match="role"):
            parse_condition(wrong)
