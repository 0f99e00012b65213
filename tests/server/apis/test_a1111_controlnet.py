"""ControlNet's units: pictures for ControlNets of the bridge guide what is painted, and what does not fit is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
from encoded_pictures import as_base64, disc, from_base64, photograph
from small_bridge import Bridge
from tiny_checkpoints import build_tiny_sd1
from tiny_controlnets import build_tiny_controlnet
from whole_bridge import serving

WIDTH, HEIGHT = 96, 64
NET = "tiny_scribble"
PHOTO = photograph(WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def guided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of a bridge that has ControlNets for its checkpoint."""
    home = tmp_path_factory.mktemp("guided-home")
    tiny = build_tiny_sd1(home / "models" / "tiny", inpaint=True)
    for name in (NET, "tiny_seg"):
        build_tiny_controlnet(tiny, home / "models" / "controlnet" / name, speaks=0.3)
    with serving(home, "--default-checkpoint", "tiny") as process:
        address = process.address()
        base = address.url.replace("ws://", "http://").removesuffix("/ws")
        with httpx2.Client(base_url=f"{base}/key/{address.token}", timeout=180, trust_env=False) as client:
            yield client


def lines(width: int, height: int) -> np.ndarray:
    drawn = np.full((height, width, 3), 255, np.uint8)
    drawn[height // 2 - 2 : height // 2 + 2] = 0
    return drawn


def paint(client: httpx2.Client, *units: dict[str, Any], **fields: Any) -> tuple[np.ndarray, dict[str, Any]]:
    endpoint = "img2img" if "init_images" in fields else "txt2img"
    body = {
        "prompt": "a hill", "steps": 2, "seed": 5, "width": WIDTH, "height": HEIGHT,
        "alwayson_scripts": {"ControlNet": {"args": list(units)}}, **fields,
    }  # fmt: skip
    response = client.post(f"/sdapi/v1/{endpoint}", json=body)
    assert response.status_code == 200, response.text
    return from_base64(response.json()["images"][0]), json.loads(response.json()["info"])


def test_what_clients_ask_for_first(guided: httpx2.Client) -> None:
    assert guided.get("/controlnet/version").json() == {"version": 3}
    assert guided.get("/controlnet/settings").json()["control_net_unit_count"] == 3
    assert sorted(guided.get("/controlnet/model_list").json()["model_list"]) == [NET, "tiny_seg"]
    modules = guided.get("/controlnet/module_list").json()
    assert {"none", "canny", "depth_midas", "openpose", "softedge_hed"} <= set(modules["module_list"])
    assert len(modules["module_detail"]["canny"]["sliders"]) == 2
    types = guided.get("/controlnet/control_types").json()["control_types"]
    assert types["Scribble"]["model_list"] == ["None", NET]
    assert types["Segmentation"]["default_model"] == "tiny_seg"
    assert set(types["All"]) == {"module_list", "model_list", "default_option", "default_model"}
    assert "controlnet" in guided.get("/sdapi/v1/scripts").json()["img2img"]


def detect(client: httpx2.Client, **fields: Any) -> httpx2.Response:
    body = {"controlnet_module": "canny", "controlnet_input_images": [as_base64(PHOTO)], **fields}
    return client.post("/controlnet/detect", json=body)


def test_maps_are_made_as_that_server_answers_them(guided: httpx2.Client) -> None:
    square = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    square[16:48, 24:72] = 120
    answer = detect(guided, controlnet_input_images=[as_base64(square), as_base64(PHOTO)]).json()
    assert answer["info"] == "Success"
    first, second = (from_base64(image) for image in answer["images"])
    assert first.shape == second.shape == (HEIGHT, WIDTH, 3)
    # White on black, along the square's edges.
    assert set(np.unique(first)) == {0, 255}
    assert first[15:18, 30:60].max(axis=(0, 2)).all()
    assert not first[20:44, 30:66].any()
    thresholds = {"controlnet_threshold_a": 600, "controlnet_threshold_b": 900}
    assert not from_base64(
        detect(guided, controlnet_input_images=[as_base64(square)], **thresholds).json()["images"][0]
    ).any()
    blurred = from_base64(detect(guided, controlnet_module="tile_resample").json()["images"][0])
    assert np.abs(blurred.mean(axis=(0, 1)) - PHOTO.mean(axis=(0, 1))).max() < 4
    same = detect(guided, controlnet_module="none").json()["images"][0]
    assert np.array_equal(from_base64(same), PHOTO)


def test_maps_that_cannot_be_made_are_refused(guided: httpx2.Client) -> None:
    assert detect(guided, controlnet_module="mlsd").status_code == 422
    assert detect(guided, controlnet_input_images=[]).status_code == 404
    missing = detect(guided, controlnet_module="depth_midas")
    assert missing.status_code >= 400
    assert "models pull depth-anything" in missing.text


def test_a_unit_with_a_module_is_guided_by_the_map_of_its_picture(guided: httpx2.Client) -> None:
    unit = {"model": NET, "module": "scribble_xdog", "image": as_base64(PHOTO)}
    mapped, info = paint(guided, unit)
    assert info["paintbridge"]["ignored"] == []
    drawn = detect(guided, controlnet_module="scribble_xdog").json()["images"][0]
    by_hand, _ = paint(guided, {"model": NET, "module": "none", "image": drawn})
    plain, _ = paint(guided)
    assert np.array_equal(mapped, by_hand)
    assert not np.array_equal(mapped, plain)


def test_a_scribble_guides_where_and_as_much_as_it_says(guided: httpx2.Client) -> None:
    plain, _ = paint(guided)
    unit = {"model": f"{NET} [01234567]", "image": as_base64(lines(WIDTH, HEIGHT)), "module": "none"}
    scribbled, info = paint(guided, unit)
    assert info["paintbridge"]["ignored"] == []
    assert (scribbled != plain).any()
    assert np.array_equal(paint(guided, {**unit, "weight": 0})[0], plain)
    assert np.array_equal(paint(guided, {**unit, "enabled": False})[0], plain)
    assert np.array_equal(paint(guided, {**unit, "model": "None"})[0], plain)
    older = {"model": NET, "input_image": as_base64(lines(WIDTH, HEIGHT)), "guidance_end": 1, "resize_mode": 0}
    assert np.array_equal(paint(guided, older)[0], scribbled)
    assert (paint(guided, {**unit, "weight": 0.4})[0] != scribbled).any()


def test_under_a_mask_it_guides_what_the_model_sees(guided: httpx2.Client) -> None:
    mask = disc(WIDTH, HEIGHT, 48, 32, 12)
    fields = {"init_images": [as_base64(PHOTO)], "mask": as_base64(mask), "mask_blur": 2, "inpaint_full_res_padding": 8}
    plain, _ = paint(guided, **fields)
    # Without a picture of its own it is the repainted one; a label map in another size is not mixed.
    for unit in ({"model": NET}, {"model": "tiny_seg", "image": as_base64(lines(WIDTH // 2, HEIGHT // 2))}):
        painted, _ = paint(guided, unit, **fields)
        assert (painted != plain).any(), unit
        assert np.array_equal(painted[:, :20], PHOTO[:, :20])


@pytest.mark.parametrize(
    ("unit", "status", "words"),
    [
        ({"model": "canny", "image": as_base64(PHOTO)}, 400, f"'canny'.*{NET}"),
        ({"model": NET}, 404, "No image selected"),
        ({"model": NET, "image": "!!!"}, 400, "Base64"),
        ({"model": NET, "image": as_base64(PHOTO), "weight": "much"}, 422, "weight"),
        ({"model": NET, "image": as_base64(PHOTO), "resize_mode": 7}, 422, "resize_mode"),
    ],
)
def test_what_is_refused(guided: httpx2.Client, unit: dict[str, Any], status: int, words: str) -> None:
    body = {"steps": 1, "width": WIDTH, "height": HEIGHT, "alwayson_scripts": {"controlnet": {"args": [unit]}}}
    response = guided.post("/sdapi/v1/txt2img", json=body)
    assert response.status_code == status
    assert re.search(words, response.text)


@pytest.mark.parametrize(
    ("scripts", "told"),
    [
        (
            {"controlnet": {"args": [{"model": NET, "module": "mlsd", "image": "x"}, "nonsense"]}},
            {"alwayson_scripts.controlnet.0.module", "alwayson_scripts.controlnet.1"},
        ),
        (
            {"controlnet": {"args": {}}, "dynamic prompts": {}},
            {"alwayson_scripts.controlnet", "alwayson_scripts.dynamic prompts"},
        ),
        ({"controlnet": []}, {"alwayson_scripts.controlnet"}),
    ],
)
async def test_what_has_no_effect_is_told(
    bridge: Bridge, http: Callable[..., Any], scripts: dict[str, Any], told: set[str]
) -> None:
    fields = {"width": 64, "steps": 1, "alwayson_scripts": scripts}
    async with http() as client:
        response = await client.post("/sdapi/v1/txt2img", json=fields)
    assert response.status_code == 200, response.text
    assert set(response.headers["paintbridge-ignored"].split(", ")) == told
