"""OpenAI's images API, by the shapes of its public reference."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import cv2
import httpx2
import numpy as np
import pytest
from encoded_pictures import bomb, disc, encode, from_base64, photograph
from small_bridge import Bridge

PHOTO = photograph(120, 80)
MASK = disc(120, 80, 50, 40, 14)
HOLED = np.dstack([PHOTO, 255 - MASK])
ONES = np.full((80, 120, 1), 255, np.uint8)


def files(**pixels: np.ndarray) -> dict[str, tuple[str, bytes, str]]:
    return {name: (f"{name}.png", encode(given), "image/png") for name, given in pixels.items()}


def edited(served: httpx2.Client, sent: Any, **fields: Any) -> np.ndarray:
    response = served.post("/v1/images/edits", data={"prompt": "a bird", **fields}, files=sent)
    assert response.status_code == 200, response.text
    return from_base64(response.json()["data"][0]["b64_json"])


def changed(after: np.ndarray) -> np.ndarray:
    return (after != PHOTO).any(axis=2)


def test_generations(served: httpx2.Client) -> None:
    asked = {"prompt": "a bird", "n": 2, "size": "96x64", "response_format": "b64_json", "model": "base", "user": "me"}
    response = served.post("/v1/images/generations", json=asked)
    answer = response.json()
    assert response.status_code == 200
    assert {"created", "data"} <= set(answer)
    assert answer["created"] > 1_700_000_000
    assert (answer["size"], answer["output_format"]) == ("96x64", "png")
    pictures = [from_base64(entry["b64_json"]) for entry in answer["data"]]
    assert [picture.shape for picture in pictures] == [(64, 96, 3)] * 2
    assert not np.array_equal(*pictures)
    assert "paintbridge-ignored" not in response.headers


def test_the_size_that_suits_the_checkpoint_and_their_own_names_for_models(served: httpx2.Client) -> None:
    for model in ("dall-e-3", "gpt-image-1", "tiny"):
        answer = served.post("/v1/images/generations", json={"prompt": "a bird", "model": model}).json()
        assert answer["size"] == "64x64"
        assert from_base64(answer["data"][0]["b64_json"]).shape == (64, 64, 3)


def test_what_is_transparent_in_the_mask_is_repainted(served: httpx2.Client) -> None:
    after = edited(served, files(image=PHOTO, mask=np.dstack([PHOTO, 255 - MASK])))
    assert after.shape == PHOTO.shape
    assert changed(after)[MASK[..., 0] > 127].mean() > 0.9
    far = cv2.distanceTransform((MASK[..., 0] == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > 40
    assert far.any()
    assert not changed(after)[far].any()


def test_without_a_mask_the_pictures_own_transparency_is_one(served: httpx2.Client) -> None:
    after = edited(served, {"image[]": files(image=HOLED)["image"]})
    assert after.shape == PHOTO.shape
    assert changed(after)[MASK[..., 0] > 127].mean() > 0.9
    assert not changed(after)[:, 100:].any()


def test_without_any_mask_all_of_it_is_edited(served: httpx2.Client) -> None:
    assert changed(edited(served, files(image=PHOTO))).mean() > 0.9


def test_other_sizes_and_kinds_of_files(served: httpx2.Client) -> None:
    sent = files(image=PHOTO, mask=np.dstack([PHOTO, 255 - MASK]))
    assert edited(served, sent, size="64x64", n="2").shape == (64, 64, 3)
    response = served.post("/v1/images/edits", data={"prompt": "a bird", "output_format": "webp"}, files=sent)
    assert response.json()["output_format"] == "webp"
    assert response.json()["data"][0]["b64_json"].startswith("UklGR")  # RIFF


def test_models(served: httpx2.Client) -> None:
    listed = served.get("/v1/models").json()
    assert listed["object"] == "list"
    assert [set(entry) for entry in listed["data"]] == [{"id", "object", "created", "owned_by"}] * 3
    assert listed["data"][0]["id"] == "tiny"
    assert served.get("/v1/models/base").json()["id"] == "base"
    missing = served.get("/v1/models/unheard-of")
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "model_not_found"


async def test_an_edit_is_a_fill(bridge: Bridge, http: Callable[..., Any]) -> None:
    async with http() as client:
        sent = files(image=PHOTO, mask=np.dstack([PHOTO, 255 - MASK]))
        response = await client.post("/v1/images/edits", data={"prompt": "x", "quality": "high"}, files=sent)
    assert response.status_code == 200
    assert response.headers["paintbridge-ignored"] == "quality"


def told(response: httpx2.Response) -> dict[str, Any]:
    """The error, in that API's own shape."""
    assert set(response.json()) == {"error"}
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return error


@pytest.mark.parametrize(
    ("fields", "status", "param", "code"),
    [
        ({}, 400, "prompt", "missing_required_parameter"),
        ({"prompt": "x", "n": 11}, 400, "n", "invalid_value"),
        ({"prompt": "x", "n": "many"}, 400, "n", "invalid_value"),
        ({"prompt": 7}, 400, "prompt", "invalid_value"),
        ({"prompt": "x", "size": "huge"}, 400, "size", "invalid_value"),
        ({"prompt": "x", "size": "0x64"}, 400, "size", "invalid_value"),
        ({"prompt": "x", "size": "99999x99999"}, 400, "size", "invalid_value"),
        ({"prompt": "x", "response_format": "url"}, 400, "response_format", "invalid_value"),
        ({"prompt": "x", "stream": True}, 400, "stream", "invalid_value"),
        ({"prompt": "x", "output_format": "gif"}, 400, "output_format", "invalid_value"),
        ({"prompt": "x", "model": "unheard-of"}, 404, None, "model_not_found"),
        ({"prompt": "fail"}, 500, None, "out_of_memory"),
        ({"prompt": "break"}, 500, None, "internal"),
    ],
)
async def test_generations_that_are_refused(
    bridge: Bridge, http: Callable[..., Any], fields: Any, status: int, param: str | None, code: str
) -> None:
    async with http() as client:
        response = await client.post("/v1/images/generations", json={"size": "64x64", **fields})
    assert response.status_code == status
    error = told(response)
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == ("server_error" if status == 500 else "invalid_request_error")
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        ({}, 400, "multipart"),
        ({"mask": encode(HOLED)}, 400, "image: it is missing"),
        ({"image": b"not a picture"}, 400, "PNG"),
        ({"image": encode(PHOTO)[:-200]}, 400, "damaged"),
        ({"image": bomb()}, 413, "25000 x 20000"),
        ({"image": encode(PHOTO), "mask": bomb()}, 413, "25000 x 20000"),
        ({"image": encode(PHOTO), "mask": encode(PHOTO)}, 400, "no transparency"),
        ({"image": encode(PHOTO), "mask": encode(np.dstack([PHOTO, ONES]))}, 400, "selects nothing"),
    ],
)
async def test_edits_that_are_refused(
    bridge: Bridge, http: Callable[..., Any], sent: dict[str, bytes], status: int, words: str
) -> None:
    async with http() as client:
        form = {name: (f"{name}.png", data, "image/png") for name, data in sent.items()}
        response = await client.post("/v1/images/edits", data={"prompt": "x"}, files=form or None)
    assert response.status_code == status, response.text
    assert words in told(response)["message"]
    assert bridge.engine.order == []


async def test_forms_that_are_broken_or_hold_too_much(start: Callable[..., Any], http: Callable[..., Any]) -> None:
    bridge = await start(request_bytes=1 << 20)
    async with http(bridge) as client:
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        for body in (
            b"",
            b"--x\r\n",
            b"nothing of the kind",
            b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--",
        ):
            response = await client.post("/v1/images/edits", content=body, headers=kind)
            assert response.status_code == 400
            told(response)
        bare = await client.post("/v1/images/edits", content=b"x", headers={"Content-Type": "multipart/form-data"})
        assert bare.status_code == 400
        texts = await client.post("/v1/images/edits", data={"prompt": "x", "image": "a text"}, files={"mask": b"m"})
        assert "it must be a file" in told(texts)["message"]
        two = await client.post("/v1/images/edits", files=[("image[]", encode(PHOTO)), ("image[]", encode(PHOTO))])
        assert "one picture" in told(two)["message"]
        large = await client.post("/v1/images/edits", files={"image": bytes(1 << 21)})
        assert large.status_code == 413
        told(large)


async def test_who_hangs_up_leaves_no_job_behind(bridge: Bridge, http: Callable[..., Any]) -> None:
    bridge.engine.gate.clear()
    async with http() as client:
        request = asyncio.create_task(client.post("/v1/images/generations", json={"prompt": "x", "size": "64x64"}))
        async with asyncio.timeout(60):
            while not bridge.engine.order:
                await asyncio.sleep(0.01)
        request.cancel()
        async with asyncio.timeout(60):
            while any(session.jobs for session in bridge.server.service._sessions.values()):
                await asyncio.sleep(0.01)


async def test_endpoints_that_there_are_not(bridge: Bridge, http: Callable[..., Any]) -> None:
    async with http() as client:
        for method, path, status in (("GET", "/v1/chat", 404), ("GET", "/v1/images/edits", 405)):
            response = await client.request(method, path)
            assert response.status_code == status
            told(response)
