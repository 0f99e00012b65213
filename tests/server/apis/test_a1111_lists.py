"""What clients ask when they look around: names and shapes as the public documentation has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_bridge import Bridge, write_outline
from tiny_checkpoints import build_tiny_sd1
from tiny_loras import build_tiny_lora

PREFIX = "/sdapi/v1"

SHAPES: dict[str, Any] = {
    "samplers": [{"name", "aliases", "options"}],
    "schedulers": [{"name", "label", "aliases", "default_rho", "need_inner_model"}],
    "upscalers": [{"name", "model_name", "model_path", "model_url", "scale"}],
    "sd-models": [{"title", "model_name", "hash", "sha256", "filename", "config"}],
    "sd-vae": [],
    "hypernetworks": [],
    "latent-upscale-modes": [],
    "prompt-styles": [],
    "realesrgan-models": [],
    "script-info": [],
    "face-restorers": [],
    "embeddings": {"loaded", "skipped"},
    "scripts": {"txt2img", "img2img"},
    "memory": {"ram", "cuda"},
    "extensions": [{"name", "remote", "branch", "commit_hash", "version", "commit_date", "enabled"}],
}


@pytest.mark.parametrize("endpoint", SHAPES)
async def test_lists(bridge: Bridge, http: Callable[..., Any], endpoint: str) -> None:
    async with http() as client:
        response = await client.get(f"{PREFIX}/{endpoint}")
    assert response.status_code == 200
    found, shape = response.json(), SHAPES[endpoint]
    if isinstance(shape, set):
        assert set(found) == shape
    else:
        assert isinstance(found, list)
        assert [set(entry) for entry in found] == shape * len(found)
        assert bool(found) == bool(shape)


async def test_samplers_go_by_the_names_that_users_know(bridge: Bridge, http: Callable[..., Any]) -> None:
    async with http() as client:
        found = {entry["name"]: entry["aliases"] for entry in (await client.get(f"{PREFIX}/samplers")).json()}
        labels = [entry["label"] for entry in (await client.get(f"{PREFIX}/schedulers")).json()]
    assert found["Euler a"] == ["k_euler_a", "k_euler_ancestral"]
    assert {"Euler", "Euler a", "DDIM", "DPM++ 2M", "DPM++ 2M Karras", "UniPC", "LCM"} <= set(found)
    assert labels == ["Automatic", "Karras"]


async def test_loras(start: Callable[..., Any], http: Callable[..., Any], tmp_path: Path) -> None:
    checkpoint = build_tiny_sd1(tmp_path / "tiny", inpaint=False)
    (tmp_path / "home" / "models" / "loras").mkdir(parents=True)
    build_tiny_lora(checkpoint, tmp_path / "home" / "models" / "loras" / "berry.safetensors")
    async with http(await start(home=tmp_path / "home", default_checkpoint=None)) as client:
        (found,) = (await client.get(f"{PREFIX}/loras")).json()
    assert set(found) == {"name", "alias", "path", "metadata"}
    assert found["name"] == "berry"


async def test_options_and_flags(bridge: Bridge, http: Callable[..., Any]) -> None:
    async with http() as client:
        options = (await client.get(f"{PREFIX}/options")).json()
        assert options["sd_model_checkpoint"] == "outline"
        assert options["samples_format"] == "png"
        changed = await client.post(
            f"{PREFIX}/options", json={"samples_format": "webp", "grid_save": True, "sd_vae": "Automatic"}
        )
        assert (changed.status_code, changed.json()) == (200, None)
        assert changed.headers["paintbridge-ignored"] == "grid_save"
        set_now = (await client.get(f"{PREFIX}/options")).json()
        assert (set_now["samples_format"], set_now["grid_save"]) == ("webp", True)
        refused = await client.post(f"{PREFIX}/options", json={"samples_format": "avif"})
        assert refused.status_code == 400
        assert (await client.get(f"{PREFIX}/cmd-flags")).json()["api"] is True
        for what in ("checkpoints", "embeddings", "loras", "vae"):
            assert (await client.post(f"{PREFIX}/refresh-{what}")).json() is None
        assert (await client.get("/internal/ping")).json() == {}


async def test_options_are_remembered_and_those_without_effect_told_with_every_picture(
    bridge: Bridge, http: Callable[..., Any]
) -> None:
    async with http() as client:
        asked = {"CLIP_stop_at_last_layers": 2, "sd_vae": "other.safetensors", "send_seed": False, "sd_lora": "None"}
        changed = await client.post(f"{PREFIX}/options", json=asked)
        assert changed.headers["paintbridge-ignored"] == "CLIP_stop_at_last_layers, sd_vae, send_seed"
        assert asked.items() <= (await client.get(f"{PREFIX}/options")).json().items()
        missed = ["options.CLIP_stop_at_last_layers", "options.sd_vae"]
        for overrides, ignored in (
            ({}, missed),
            ({"sd_vae": "Automatic"}, missed[:1]),
            ({"sd_vae": "third"}, ["override_settings.sd_vae", missed[0]]),
        ):
            job = {"width": 64, "steps": 1, "override_settings": overrides}
            answer = (await client.post(f"{PREFIX}/txt2img", json=job)).json()
            assert json.loads(answer["info"])["paintbridge"]["ignored"] == ignored
        too_much = await client.post(f"{PREFIX}/options", json={"notes": "x" * (1 << 17)})
        assert too_much.status_code == 400
        again = await client.post(f"{PREFIX}/options", json={"CLIP_stop_at_last_layers": 1, "sd_vae": "Automatic"})
        assert "paintbridge-ignored" not in again.headers
        plain = await client.post(f"{PREFIX}/txt2img", json={"width": 64, "steps": 1})
        assert "paintbridge-ignored" not in plain.headers


async def test_the_memory_is_given_back_when_a_client_asks_for_it(bridge: Bridge, http: Callable[..., Any]) -> None:
    async with http() as client:
        assert (await client.post(f"{PREFIX}/unload-checkpoint")).json() == {}
        assert bridge.engine.freed == 1
        assert (await client.post(f"{PREFIX}/reload-checkpoint")).json() == {}


async def test_nothing_here_describes_pictures(bridge: Bridge, http: Callable[..., Any]) -> None:
    async with http() as client:
        response = await client.post(f"{PREFIX}/interrogate", json={"image": "", "model": "clip"})
    assert response.status_code == 404
    assert response.json()["detail"].startswith("Model not found")


async def test_a_checkpoint_that_has_just_come_is_listed_after_refresh(
    bridge: Bridge, http: Callable[..., Any]
) -> None:
    async with http() as client:
        await client.get(f"{PREFIX}/sd-models")
        write_outline(bridge.server.runtime.path.parent / "models" / "fresh")
        await client.post(f"{PREFIX}/refresh-checkpoints")
        names = [entry["model_name"] for entry in (await client.get(f"{PREFIX}/sd-models")).json()]
    assert "fresh" in names
