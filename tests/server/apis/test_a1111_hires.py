"""`enable_hr`: a second pass at a larger size."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import numpy as np
import pytest
from encoded_pictures import from_base64
from job_forms import said
from recording import Recording, submits
from small_bridge import Bridge

from bridge.protocol.messages import Extent

TXT2IMG = "/sdapi/v1/txt2img"


@pytest.fixture
async def recorded(start: Any) -> Bridge:
    bridge: Bridge = await start(Recording())
    return bridge


async def test_each_picture_is_enlarged_by_a_job_of_its_own(recorded: Bridge, http: Any) -> None:
    fields = {
        "prompt": "a cat", "width": 64, "height": 48, "batch_size": 2, "n_iter": 2, "seed": 5, "steps": 3,
        "enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.4, "hr_second_pass_steps": 7,
        "hr_sampler_name": "Heun", "hr_prompt": "a large cat", "hr_upscaler": "Latent",
    }  # fmt: skip
    async with http(recorded) as client:
        response = await client.post(TXT2IMG, json=fields)
    answer = response.json()
    assert [from_base64(image).shape for image in answer["images"]] == [(72, 96, 3)] * 4
    jobs = submits(recorded)
    assert [said(job).kind for job in jobs] == ["generate", "upscale", "upscale"] * 2
    first, second = jobs[0], jobs[1]
    assert (first.canvas, said(first).batch, said(first).prompt, said(first).steps) == (Extent(64, 48), 2, "a cat", 3)
    assert (second.canvas, said(second).scale, said(second).strength, said(second).steps) == (Extent(64, 48), 2, 0.4, 7)
    assert (said(second).prompt, said(second).sampler, said(second).batch) == ("a large cat", "Heun", 1)
    info = json.loads(answer["info"])
    assert info["all_seeds"] == [said(job).seed for job in jobs if said(job).kind == "upscale"] == [5, 6, 7, 8]
    assert info["denoising_strength"] == 0.4
    assert "Size: 64x48" in info["infotexts"][0]
    assert "Hires resize: 96x72, Hires steps: 7, Hires upscaler: Paintbridge" in info["infotexts"][0]
    # Nothing else enlarges here.
    assert info["paintbridge"]["ignored"] == ["hr_upscaler"]


async def test_sizes(recorded: Bridge, http: Any) -> None:
    cases: list[tuple[dict[str, int], tuple[int, int], tuple[int, int], int]] = [
        ({}, (64, 48), (128, 96), 2),
        ({"hr_scale": 3}, (64, 48), (192, 144), 4),
        ({"hr_scale": 1}, (64, 48), (64, 48), 1),
        ({"hr_resize_x": 128}, (64, 48), (128, 96), 2),
        ({"hr_resize_y": 60}, (64, 48), (80, 60), 2),
        ({"hr_resize_x": 128, "hr_resize_y": 128, "hr_scale": 9}, (64, 48), (128, 128), 4),
        ({"firstphase_width": 32, "firstphase_height": 32}, (32, 32), (64, 48), 2),
    ]
    async with http(recorded) as client:
        for fields, first, size, scale in cases:
            asked = {"width": 64, "height": 48, "steps": 1, "enable_hr": True, **fields}
            answer = (await client.post(TXT2IMG, json=asked)).json()
            assert from_base64(answer["images"][0]).shape == (size[1], size[0], 3)
            generate, second = submits(recorded)[-2:]
            assert generate.canvas == Extent(*first)
            assert (said(second).kind, said(second).scale) == ("refine" if scale == 1 else "upscale", scale)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"hr_scale": 5}, 422),
        ({"hr_scale": "much"}, 422),
        ({"hr_sampler_name": "Unheard of"}, 404),
        ({"hr_checkpoint_name": "unheard-of"}, 404),
        ({"width": 8192, "height": 8192, "hr_scale": 4}, 422),
        ({"width": 8192, "height": 8192, "hr_scale": 2.1}, 422),
        ({"width": 8192, "height": 4096, "hr_scale": 2.1}, 422),
    ],
)
async def test_what_cannot_be_is_told_before_anything_is_painted(
    bridge: Bridge, http: Any, fields: Any, status: int
) -> None:
    async with http() as client:
        response = await client.post(TXT2IMG, json={"width": 64, "height": 48, "enable_hr": True, **fields})
    assert response.status_code == status
    assert bridge.engine.order == []


async def test_what_would_be_too_large_in_the_end(start: Any, http: Any) -> None:
    bridge = await start(picture_pixels=10_000)
    async with http(bridge) as client:
        response = await client.post(TXT2IMG, json={"width": 64, "height": 48, "enable_hr": True})
    assert response.status_code == 413
    assert bridge.engine.order == []


def test_a_real_checkpoint_paints_both_passes(served: httpx2.Client) -> None:
    fields = {"prompt": "a cat", "width": 64, "height": 64, "steps": 2, "seed": 1}
    small = from_base64(served.post(TXT2IMG, json=fields).json()["images"][0])
    response = served.post(TXT2IMG, json={**fields, "enable_hr": True, "denoising_strength": 0.5})
    large = from_base64(response.json()["images"][0])
    assert large.shape == (128, 128, 3)
    # The same forms, larger, and painted over.
    shrunk = large.reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(shrunk - small).mean() < 30
    assert "paintbridge-ignored" not in response.headers
