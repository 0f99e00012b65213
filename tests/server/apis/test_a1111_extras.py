"""Pictures enlarged by that API."""

from __future__ import annotations

import base64
from typing import Any

import httpx2
import numpy as np
import pytest
from encoded_pictures import as_base64, bomb, from_base64, photograph

PHOTO = photograph(60, 40)
ENDPOINT = "/sdapi/v1/extra-single-image"


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


async def test_what_is_refused(bridge: Any, http: Any) -> None:
    async with http() as client:
        for fields, status in (
            ({}, 404),
            ({"image": as_base64(PHOTO), "upscaler_1": "ESRGAN_4x"}, 422),
            ({"image": as_base64(PHOTO), "upscaling_resize": 8}, 422),
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
