"""Pictures enlarged by that API."""

from __future__ import annotations

import asyncio
import base64
import io
from typing import Any

import httpx2
import numpy as np
import pytest
from encoded_pictures import as_base64, bomb, from_base64, photograph
from PIL import Image

PHOTO = photograph(60, 40)
ENDPOINT = "/sdapi/v1/extra-single-image"
BATCH = "/sdapi/v1/extra-batch-images"


def enlarged(served: httpx2.Client, **fields: Any) -> np.ndarray:
    response = served.post(ENDPOINT, json={"image": as_base64(PHOTO), "upscaler_1": "Paintbridge", **fields})
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"html_info", "image"}
    return from_base64(response.json()["image"])


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({}, (80, 120, 3)),
        ({"upscaling_resize": 4}, (160, 240, 3)),
        ({"upscaling_resize": 2.5}, (100, 150, 3)),
        ({"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 100}, (100, 100, 3)),
        ({"resize_mode": 1, "upscaling_resize_w": 99, "upscaling_resize_h": 66, "upscaling_crop": False}, (66, 99, 3)),
    ],
)
def test_sizes(served: httpx2.Client, fields: dict[str, Any], shape: tuple[int, ...]) -> None:
    after = enlarged(served, **fields)
    assert after.shape == shape
    if "resize_mode" not in fields:
        # It stays that photograph.
        close = photograph(shape[1], shape[0]).astype(int)
        assert np.abs(after - close).mean() < 40


def test_none_is_the_picture_as_it_came(served: httpx2.Client) -> None:
    assert np.array_equal(enlarged(served, upscaler_1="None"), PHOTO)
    assert np.array_equal(enlarged(served, upscaler_1=None), PHOTO)


async def test_the_bridges_own_stands_in_for_networks_that_are_not_here(bridge: Any, http: Any) -> None:
    names = ("R-ESRGAN 4x+", "ESRGAN_4x", "SwinIR 4x", "4x-UltraSharp", "LDSR", "ScuNET")
    async with http() as client:
        for name in names:
            asked = {"image": as_base64(PHOTO), "upscaler_1": name, "upscaler_2": "Lanczos", "gfpgan_visibility": 0}
            response = await client.post(ENDPOINT, json=asked)
            assert from_base64(response.json()["image"]).shape == (80, 120, 3)
            assert response.headers["paintbridge-ignored"] == "upscaler_1"
    assert len(bridge.engine.order) == len(names)


async def test_filters_are_done_without_the_model_and_keep_transparency(bridge: Any, http: Any) -> None:
    glass = np.dstack([PHOTO, np.full((40, 60, 1), 128, np.uint8)])
    async with http() as client:

        async def filtered(name: str, pixels: np.ndarray, **fields: Any) -> np.ndarray:
            asked = {"image": as_base64(pixels), "upscaler_1": name, **fields}
            response = await client.post(ENDPOINT, json=asked)
            assert "paintbridge-ignored" not in response.headers
            return from_base64(response.json()["image"])

        assert np.array_equal(await filtered("nearest", PHOTO), PHOTO.repeat(2, 0).repeat(2, 1))
        large = await filtered("Lanczos", glass, upscaling_resize=8)
        assert large.shape == (320, 480, 4)
        assert (large[..., 3] == 128).all()
        close = photograph(480, 320).astype(int)
        assert np.abs(large[..., :3] - close).mean() < 12
        fields = {"resize_mode": 1, "upscaling_resize_w": 30, "upscaling_resize_h": 30}
        assert (await filtered("Lanczos", PHOTO, **fields)).shape == (30, 30, 3)
    assert bridge.engine.order == []


async def test_several_pictures(bridge: Any, http: Any) -> None:
    small = PHOTO[:20]
    async with http() as client:
        pictures = [{"data": as_base64(pixels), "name": "a.png"} for pixels in (PHOTO, small)]
        for name in ("Lanczos", "Paintbridge"):
            response = await client.post(BATCH, json={"imageList": pictures, "upscaler_1": name})
            assert set(response.json()) == {"html_info", "images"}
            assert [from_base64(image).shape for image in response.json()["images"]] == [(80, 120, 3), (40, 120, 3)]
        for wrong, status in (
            ([], 404),
            ("x", 422),
            ([{"name": "a.png"}], 422),
            ([pictures[0], {"data": "!"}], 400),
            (pictures[:1] * 257, 422),
        ):
            assert (await client.post(BATCH, json={"imageList": wrong})).status_code == status
    assert len(bridge.engine.order) == 2


async def test_interrupted_between_several_pictures(bridge: Any, http: Any) -> None:
    bridge.engine.gate.clear()
    async with http() as client:
        pictures = [{"data": as_base64(PHOTO), "name": ""}] * 3
        asked = {"imageList": pictures, "upscaler_1": "Paintbridge"}
        request = asyncio.create_task(client.post(BATCH, json=asked))
        async with asyncio.timeout(60):
            while not bridge.engine.order:
                await asyncio.sleep(0.01)
        state = (await client.get("/sdapi/v1/progress")).json()["state"]
        assert (state["job"], state["job_count"]) == ("extras", 3)
        await client.post("/sdapi/v1/interrupt")
        assert (await request).json()["images"] == []
    assert len(bridge.engine.order) == 1


def test_a_photograph_that_lies_on_its_side_is_enlarged_upright(served: httpx2.Client) -> None:
    image = Image.fromarray(np.ascontiguousarray(np.rot90(PHOTO)))
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 90 degrees clockwise
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    packed = base64.b64encode(file.getvalue()).decode()
    for name in ("Paintbridge", "Lanczos"):
        response = served.post(ENDPOINT, json={"image": packed, "upscaler_1": name})
        assert from_base64(response.json()["image"]).shape == (80, 120, 3)


async def test_what_is_refused(bridge: Any, http: Any) -> None:
    async with http() as client:
        for fields, status in (
            ({}, 404),
            ({"image": as_base64(PHOTO), "upscaler_1": "Unheard of"}, 422),
            ({"image": as_base64(PHOTO), "upscaling_resize": 0}, 422),
            ({"image": as_base64(PHOTO), "upscaler_1": "Paintbridge", "upscaling_resize": 8}, 400),
            (
                {
                    "image": as_base64(PHOTO),
                    "upscaler_1": "Lanczos",
                    "resize_mode": 1,
                    "upscaling_resize_w": 20_000,
                    "upscaling_resize_h": 20_000,
                },
                413,
            ),
            (
                {"image": as_base64(PHOTO), "upscaler_1": "Paintbridge", "resize_mode": 1, "upscaling_resize_w": 999},
                400,
            ),
            ({"image": "x" + as_base64(PHOTO), "upscaler_1": "Paintbridge"}, 400),
            ({"image": base64.b64encode(bomb()).decode(), "upscaler_1": "Paintbridge"}, 413),
        ):
            response = await client.post(ENDPOINT, json=fields)
            assert response.status_code == status, response.text
    assert bridge.engine.order == []
