"""What Photoshop's plug-in asks of the extension that belongs to it."""

from __future__ import annotations

from typing import Any

import httpx2
import numpy as np
import pytest
from encoded_pictures import as_base64, disc, from_base64, photograph
from PIL import Image, ImageFilter
from small_bridge import Bridge

PREFIX = "/sdapi/auto-photoshop-sd"


async def test_its_heartbeat_and_its_lists(bridge: Bridge, http: Any) -> None:
    async with http() as client:
        assert (await client.get(f"{PREFIX}/heartbeat")).json() == {"heartbeat": True}
        assert (await client.get(f"{PREFIX}/vae/list")).json() == ["Automatic"]
        filtered = (await client.post(f"{PREFIX}/controlnet/filter", json={"keyword": "Scribble"})).json()
        assert set(filtered) == {"keywords", "module_list", "model_list", "default_option", "default_model"}
        missing = await client.post(f"{PREFIX}/search/image/", json={})
        assert (missing.status_code, missing.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize(("pixels", "blur"), [(0, 0), (7, 0), (0, 3), (5, 2.5), (200, 0)])
def test_a_mask_grows_by_so_many_pixels_and_is_blurred(
    served: httpx2.Client, bands: int, pixels: int, blur: float
) -> None:
    mask = np.repeat(disc(60, 40, 8, 20, 6), bands, 2)
    if bands == 4:
        mask[..., 3] = 255
    asked = {"mask": as_base64(mask), "mask_expansion": pixels, "blur": blur}
    response = served.post(f"{PREFIX}/mask/expansion/", json=asked)
    assert response.status_code == 200
    found = from_base64(response.json()["mask"])
    # So many times a filter for the largest of nine, as the plug-in's own server does it, all but the outermost pixels.
    image = Image.fromarray(mask[..., 0])
    for _ in range(min(pixels, 60)):
        image = image.filter(ImageFilter.MaxFilter(3))
    expected = np.asarray(image.filter(ImageFilter.GaussianBlur(blur)))
    inner = np.s_[1:-1, 1:-1]
    assert found.shape == mask.shape
    assert np.array_equal(found[..., 0][inner], expected[inner])
    for edge in (np.s_[0, :], np.s_[-1, :], np.s_[:, 0], np.s_[:, -1]):
        assert np.array_equal(found[edge], mask[edge])


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 404),
        ({"mask": "!!!"}, 400),
        ({"mask": as_base64(photograph(8, 8)), "mask_expansion": -1}, 422),
        ({"mask": as_base64(photograph(8, 8)), "blur": "much"}, 422),
    ],
)
async def test_what_is_refused(bridge: Bridge, http: Any, fields: Any, status: int) -> None:
    async with http() as client:
        assert (await client.post(f"{PREFIX}/mask/expansion/", json=fields)).status_code == status
