"""What cannot be done is told in that API's own shape, and nothing is passed over in silence."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from encoded_pictures import as_base64, bomb, disc, encode, photograph
from small_bridge import Bridge, GatedEngine

PREFIX = "/sdapi/v1"
PHOTO = photograph(64, 48)
PICTURE = as_base64(PHOTO)


def packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def refused(http: Callable[..., Any], endpoint: str, fields: Any, status: int) -> dict[str, Any]:
    async with http() as client:
        response = await client.post(f"{PREFIX}/{endpoint}", json=fields)
    assert response.status_code == status, response.text
    told = response.json()
    assert isinstance(told, dict)
    assert "Traceback" not in response.text
    return told


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("steps", "many", "type_error.float"),
        ("steps", 2.5, "type_error.integer"),
        ("steps", 0, "value_error"),
        ("steps", [], "type_error.float"),
        ("width", 1 << 20, "value_error"),
        ("cfg_scale", 1e999, "type_error.float"),
        ("prompt", 7, "type_error.str"),
        ("prompt", "x" * 8193, "value_error"),
        ("seed", -2, "value_error"),
        ("batch_size", 65, "value_error"),
        ("override_settings", "mini", "type_error.dict"),
        ("send_images", "perhaps", "type_error.bool"),
    ],
)
async def test_wrong_types_and_ranges(bridge: Bridge, http: Any, field: str, value: Any, kind: str) -> None:
    async with http() as client:
        body = json.dumps({field: value})
        response = await client.post(f"{PREFIX}/txt2img", content=body)
    assert response.status_code == 422
    (problem,) = response.json()["detail"]
    assert problem["loc"] == ["body", field]
    assert problem["type"] == kind
    assert problem["msg"]
    assert bridge.engine.order == []


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "half a \ud83d"},
        {"negative_prompt": "\udc00 it"},
        {"sampler_name": "\ud800"},
        {"styles": ["fine", "\ud800"]},
        {"override_settings": {"sd_model_checkpoint": "\ud800"}},
        {"override_settings": {"\ud800": 1}},
        {"alwayson_scripts": {"controlnet": {"args": [{"model": "\ud800"}]}}},
        {"alwayson_scripts": {"\ud800": {}}},
        {"unheard_of": {"deep": [[["\ud800"]]]}},
    ],
)
async def test_half_a_character_anywhere(bridge: Bridge, http: Any, fields: dict[str, Any]) -> None:
    for packed in (
        json.dumps(fields).encode(),
        json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass"),
    ):
        async with http() as client:
            for endpoint in ("txt2img", "img2img", "options", "png-info", "extra-single-image", "interrogate"):
                response = await client.post(f"{PREFIX}/{endpoint}", content=packed)
                assert response.status_code == 422
                (problem,) = response.json()["detail"]
                assert problem["loc"] == ["body", *fields]
                assert "surrogate" in problem["msg"]
    assert bridge.engine.order == []


@pytest.mark.parametrize("value", ["1e999", "[-1e999]", "NaN", '{"a": Infinity}', "[" * 500 + "]" * 500])
async def test_what_cannot_be_repeated_in_the_answer(bridge: Bridge, http: Any, value: str) -> None:
    async with http() as client:
        response = await client.post(f"{PREFIX}/txt2img", content=f'{{"unheard_of": {value}}}')
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "unheard_of"]


async def test_all_that_is_wrong_is_told_at_once(bridge: Bridge, http: Any) -> None:
    told = await refused(
        http, "img2img", {"init_images": [PICTURE], "steps": "x", "inpainting_fill": 9, "mask_blur": -1}, 422
    )
    assert {problem["loc"][1] for problem in told["detail"]} == {"steps", "inpainting_fill", "mask_blur"}


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 404, "Init image not found"),
        ({"init_images": []}, 404, "Init image not found"),
        ({"init_images": ["!!!"]}, 400, "Base64"),
        ({"init_images": [PICTURE[:-3]]}, 400, "Base64"),
        ({"init_images": [packed(encode(PHOTO)[:-200])]}, 400, "damaged"),
        ({"init_images": [packed(b"GIF89a" + bytes(30))]}, 400, "GIF header"),
        ({"init_images": [packed(b"%PDF-1.7" + bytes(30))]}, 400, "AVIF"),
        ({"init_images": [packed(bomb())]}, 413, "25000 x 20000"),
        ({"init_images": ["https://example.org/a.png"]}, 400, "address"),
        ({"init_images": [PICTURE], "mask": packed(bomb())}, 413, "25000 x 20000"),
        ({"init_images": [PICTURE], "mask": as_base64(np.zeros((48, 64, 1), np.uint8))}, 400, "selects nothing"),
        ({"init_images": [PICTURE], "width": 16384, "height": 16385}, 422, ""),
        ({"init_images": [PICTURE], "width": 16384, "height": 16384 - 1, "sampler_name": "Unheard of"}, 404, "Sampler"),
        ({"init_images": [PICTURE], "override_settings": {"sd_model_checkpoint": "none"}}, 404, "'none'"),
        ({"init_images": [PICTURE], "batch_size": 17}, 400, "16"),
        ({"init_images": [PICTURE, PICTURE]}, 422, ""),
    ],
)
async def test_pictures_that_cannot_be_used(
    bridge: Bridge, http: Any, fields: dict[str, Any], status: int, words: str
) -> None:
    told = await refused(http, "img2img", fields, status)
    assert words in json.dumps(told)
    assert bridge.engine.order == []


async def test_a_bomb_is_refused_by_png_info_too(bridge: Bridge, http: Any) -> None:
    assert len(bomb()) < 1100
    told = await refused(http, "png-info", {"image": packed(bomb())}, 413)
    assert told["error"] == "picture_too_large"
    assert set(told) == {"error", "detail", "body", "errors"}


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000])
async def test_bodies_that_are_no_object(bridge: Bridge, http: Any, body: bytes) -> None:
    async with http() as client:
        response = await client.post(f"{PREFIX}/txt2img", content=body)
    assert response.status_code == 422
    assert "JSON" in response.json()["detail"]


async def test_bodies_that_are_too_large(start: Any, http: Any) -> None:
    bridge = await start(request_bytes=1 << 20)

    async def endless() -> Any:
        for _ in range(64):
            yield bytes(1 << 16)

    async with http(bridge) as client:
        for content in (b" " * ((1 << 20) + 1), endless()):
            response = await client.post(f"{PREFIX}/txt2img", content=content)
            assert response.status_code == 413
            assert response.json() == {"detail": "The body has more bytes than the bridge accepts."}


async def test_jobs_that_fail(bridge: Bridge, http: Any) -> None:
    told = await refused(http, "txt2img", {"prompt": "fail", "width": 64}, 500)
    assert told["error"] == "out_of_memory"
    told = await refused(http, "txt2img", {"prompt": "break", "width": 64}, 500)
    assert told["error"] == "internal"
    assert "secret" not in json.dumps(told)


async def test_a_full_queue(start: Any, http: Any) -> None:
    bridge = await start(GatedEngine(), queued_jobs=1)
    bridge.engine.gate.clear()
    async with http(bridge) as client:
        requests = [
            asyncio.create_task(client.post(f"{PREFIX}/txt2img", json={"width": 64, "steps": 1})) for _ in range(3)
        ]
        done, _ = await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
        assert [request.result().status_code for request in done] == [429]
        bridge.engine.gate.set()
        assert sorted([(await request).status_code for request in requests]) == [200, 200, 429]


async def test_unknown_fields_and_those_without_effect_are_reported(bridge: Bridge, http: Any) -> None:
    fields = {
        "init_images": [PICTURE], "mask": as_base64(disc(64, 48, 30, 20, 8)), "unheard_of": 1, "tiling": True,
        "restore_faces": False, "subseed": -1, "styles": [], "s_noise": 1.0, "enable_hr": True, "eta": 0.5,
        "seed_resize_from_h": 0,
        "alwayson_scripts": {"controlnet": {}, "ADetailer": {"args": []}},
        "scheduler": "Exponential", "override_settings": {"eta_ddim": 1},
        "refiner_checkpoint": "", "script_name": None,
    }  # fmt: skip
    async with http() as client:
        response = await client.post(f"{PREFIX}/img2img", json=fields)
        assert response.status_code == 200
        expected = {"unheard_of", "tiling", "enable_hr", "eta", "alwayson_scripts.ADetailer", "scheduler"}
        expected |= {"override_settings.eta_ddim"}
        assert set(json.loads(response.json()["info"])["paintbridge"]["ignored"]) == expected
        assert set(response.headers["paintbridge-ignored"].split(", ")) == expected
        still = await client.post(f"{PREFIX}/img2img", json={"init_images": [PICTURE], "denoising_strength": 0})
        assert still.headers["paintbridge-ignored"] == "denoising_strength"
        plain = await client.post(f"{PREFIX}/txt2img", json={"width": 64, "hr_scale": 2, "denoising_strength": 0})
        quiet = {"do_not_save_samples": True, "do_not_save_grid": True, "mask_round": True, "infotext": None}
        unsaved = await client.post(f"{PREFIX}/img2img", json={"init_images": [PICTURE], **quiet})
        assert "paintbridge-ignored" not in unsaved.headers
        assert "paintbridge-ignored" not in plain.headers


@pytest.mark.parametrize(
    ("name", "scheduler", "used", "ignored"),
    [
        ("DPM++ 2M Karras", None, "DPM++ 2M Karras", None),
        ("DPM++ 2M", "Karras", "DPM++ 2M Karras", None),
        ("k_dpmpp_2m", "karras", "DPM++ 2M Karras", None),
        ("DPM++ SDE Karras", None, "DPM++ SDE", "sampler_name"),
        ("euler A", "Automatic", "Euler a", None),
        ("k_euler_ancestral", None, "Euler a", None),
        ("Euler", "SGM Uniform", "Euler", "scheduler"),
        ("LMS", None, "DPM++ 2M", "sampler_name"),
        ("LMS Karras", None, "DPM++ 2M", "sampler_name"),
        ("DPM++ 3M SDE", "exponential", "DPM++ SDE", "scheduler, sampler_name"),
    ],
)
async def test_samplers_by_all_their_names_and_the_nearest_of_those_that_are_not_here(
    bridge: Bridge, http: Any, name: str, scheduler: str | None, used: str, ignored: str | None
) -> None:
    fields = {"width": 64, "steps": 1, "sampler_name": name, "scheduler": scheduler}
    async with http() as client:
        response = await client.post(f"{PREFIX}/txt2img", json=fields)
    assert response.status_code == 200
    assert json.loads(response.json()["info"])["sampler_name"] == used
    assert response.headers.get("paintbridge-ignored") == ignored


async def test_base64_in_lines_of_a_mail(bridge: Bridge, http: Any) -> None:
    async with http() as client:
        broken = "\r\n".join(PICTURE[at : at + 76] for at in range(0, len(PICTURE), 76))
        response = await client.post(f"{PREFIX}/img2img", json={"init_images": [broken], "steps": 1})
    assert response.status_code == 200


async def test_endpoints_and_methods_that_there_are_not(bridge: Bridge, http: Any) -> None:
    async with http() as client:
        missing = await client.get(f"{PREFIX}/unheard-of")
        assert (missing.status_code, missing.json()) == (404, {"detail": "Not Found"})
        wrong = await client.get(f"{PREFIX}/txt2img")
        assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})
