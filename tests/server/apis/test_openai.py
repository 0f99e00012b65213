"""OpenAI's images API, by the shapes of its public reference."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import cv2
import httpx2
import numpy as np
import pytest
from encoded_pictures import bomb, disc, encode, from_base64, photograph, pixels_of
from recording import StepByStep
from small_bridge import Bridge

from bridge.server.apis.openai.kept import Kept

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
        ({"prompt": "x", "response_format": "file"}, 400, "response_format", "invalid_value"),
        ({"prompt": "x", "stream": "now"}, 400, "stream", "invalid_value"),
        ({"prompt": "x", "stream": True, "partial_images": 4}, 400, "partial_images", "invalid_value"),
        ({"prompt": "fail", "stream": True, "model": "unheard-of"}, 404, None, "model_not_found"),
        ({"prompt": "half \ud83d"}, 400, "prompt", "invalid_value"),
        ({"prompt": "x", "user": "\udc00"}, 400, "user", "invalid_value"),
        ({"prompt": "x", "\ud800": 1}, 400, "\\ud800", "invalid_value"),
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
        body = json.dumps({"size": "64x64", **fields})
        response = await client.post("/v1/images/generations", content=body)
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
        many = await client.post("/v1/images/edits", data={"prompt": "x"}, files=[("image[]", encode(PHOTO))] * 17)
        assert "at most 16" in told(many)["message"]
        two = [("mask", encode(HOLED)), ("mask", encode(HOLED)), ("image", encode(PHOTO))]
        masks = await client.post("/v1/images/edits", data={"prompt": "x"}, files=two)
        assert "at most 1" in told(masks)["message"]
        half = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n+2AA-\r\n--x--'
        kind = {"Content-Type": "multipart/form-data; boundary=x; charset=utf-7"}
        response = await client.post("/v1/images/variations", content=half, headers=kind)
        assert response.status_code == 400
        assert told(response)["param"] == "prompt"
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


async def test_several_pictures_in_an_edit_are_the_first_and_the_answer_says_so(
    bridge: Bridge, http: Callable[..., Any]
) -> None:
    async with http() as client:
        sent = [("image[]", encode(HOLED)), ("image[]", encode(PHOTO[:40])), ("image[]", b"never looked at")]
        response = await client.post("/v1/images/edits", data={"prompt": "x", "quality": "high"}, files=sent)
    answer = response.json()
    assert from_base64(answer["data"][0]["b64_json"]).shape == PHOTO.shape
    assert response.headers["paintbridge-ignored"] == "quality, image[1], image[2]"
    assert answer["paintbridge"]["ignored"] == ["quality", "image[1]", "image[2]"]
    assert "the first" in answer["paintbridge"]["notes"][0]


async def test_a_variation_keeps_the_forms_and_needs_no_prompt(bridge: Bridge, http: Callable[..., Any]) -> None:
    async with http() as client:
        sent = {"n": "2", "size": "64x64", "response_format": "b64_json", "prompt": "not there"}
        response = await client.post("/v1/images/variations", data=sent, files=files(image=PHOTO))
        assert response.status_code == 200
        assert [from_base64(entry["b64_json"]).shape for entry in response.json()["data"]] == [(64, 64, 3)] * 2
        assert response.headers["paintbridge-ignored"] == "prompt"
        missing = await client.post("/v1/images/variations", data=sent, files={"other": b"x"})
        assert told(missing)["param"] == "image"


async def test_an_address_opens_without_the_token_until_that_is_rotated(
    bridge: Bridge, http: Callable[..., Any]
) -> None:
    asked = {"prompt": "x", "size": "64x64", "response_format": "url", "output_format": "webp", "n": 2}
    async with http() as client, http(headers={}) as stranger:
        data = (await client.post("/v1/images/generations", json=asked)).json()["data"]
        assert [set(entry) for entry in data] == [{"url"}] * 2
        home = str(client.base_url).rstrip("/")
        assert data[0]["url"].startswith(f"{home}/v1/images/kept/")
        assert bridge.token not in data[0]["url"]
        got = await stranger.get(data[0]["url"])
        assert (got.status_code, got.headers["content-type"]) == (200, "image/webp")
        assert pixels_of(got.content).shape == (64, 64, 3)
        unknown = await stranger.get("/v1/images/kept/unheard-of.png")
        assert unknown.status_code == 404
        told(unknown)
        page = await stranger.get(data[0]["url"], headers={"Origin": "https://evil.example"})
        assert page.status_code == 403
        bridge.server.runtime.rotate_token()
        assert (await stranger.get(data[1]["url"])).status_code == 404


async def test_an_address_is_the_one_that_the_client_has_called(bridge: Bridge, http: Callable[..., Any]) -> None:
    asked = {"prompt": "x", "size": "64x64", "response_format": "url"}
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "art.example:8443", "X-Forwarded-Prefix": "/paint/"}
    broken = {"X-Forwarded-Proto": "file", "X-Forwarded-Host": "a b", "X-Forwarded-Prefix": "//evil"}
    async with http() as client:
        beginnings = []
        for headers in (forwarded, broken):
            answer = (await client.post("/v1/images/generations", json=asked, headers=headers)).json()
            beginnings.append(answer["data"][0]["url"].partition("/v1/")[0])
        assert beginnings == ["https://art.example:8443/paint", str(client.base_url).rstrip("/")]


async def test_clients_of_older_models_may_take_either(bridge: Bridge, http: Callable[..., Any]) -> None:
    async with http() as client:
        for model, kinds in (("dall-e-3", {"url", "b64_json"}), ("gpt-image-1", {"b64_json"}), ("", {"b64_json"})):
            asked = {"prompt": "x", "size": "64x64", "model": model}
            (entry,) = (await client.post("/v1/images/generations", json=asked)).json()["data"]
            assert set(entry) == kinds


def test_kept_pictures_go_after_an_hour_and_when_there_are_too_many() -> None:
    now = 0.0
    kept = Kept(lambda: "token", clock=lambda: now)
    first = kept.add(b"first", "png").rpartition("/")[2]
    now = 3599.0
    assert kept.answer(first) is not None
    now = 3600.0
    assert kept.answer(first) is None
    names = [kept.add(bytes(100 << 20), "png").rpartition("/")[2] for _ in range(3)]
    assert [kept.answer(name) is not None for name in names] == [False, True, True]


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of an answer, by name; lines that say nothing are left out."""
    parts = [part.split("\n") for part in text.split("\n\n") if part and not part.startswith(":")]
    assert all(len(part) == 2 and part[0].startswith("event: ") for part in parts)
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts]


async def test_a_stream_of_pictures_and_its_end(start: Callable[..., Any], http: Callable[..., Any]) -> None:
    bridge = await start(StepByStep())
    bridge.engine.gate.clear()
    asked = {"prompt": "x", "size": "96x64", "stream": True, "partial_images": 1, "n": 2, "response_format": "url"}
    async with http(bridge) as client:
        async with client.stream("POST", "/v1/images/generations", json=asked) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["paintbridge-ignored"] == "response_format"
            lines = []
            async for line in response.aiter_lines():
                lines.append(line)
                # Of two steps the first has a preview, without which the second does not begin.
                if line.startswith((": waiting", "event: image_generation.partial_image")):
                    bridge.engine.gate.set()
        told = events("\n".join(lines) + "\n")
        assert [name for name, _ in told] == ["image_generation.partial_image", *["image_generation.completed"] * 2]
        for name, data in told:
            assert (data["type"], data["size"], data["output_format"]) == (name, "96x64", "png")
            assert from_base64(data["b64_json"]).shape == (64, 96, 3)
        assert told[0][1]["partial_image_index"] == 0
        assert told[1][1]["usage"]["total_tokens"] == 0


async def test_a_stream_of_an_edit(bridge: Bridge, http: Callable[..., Any]) -> None:
    async with http() as client:
        sent = files(image=HOLED)
        response = await client.post("/v1/images/edits", data={"prompt": "x", "stream": "true"}, files=sent)
    assert [name for name, _ in events(response.text)] == ["image_edit.completed"]


@pytest.mark.parametrize(("prompt", "code"), [("fail", "out_of_memory"), ("break", "internal")])
async def test_a_stream_that_has_begun_tells_its_failure(
    bridge: Bridge, http: Callable[..., Any], prompt: str, code: str
) -> None:
    async with http() as client:
        response = await client.post("/v1/images/generations", json={"prompt": prompt, "size": "64x64", "stream": True})
    ((name, data),) = events(response.text)
    assert (name, data["error"]["code"]) == ("error", code)
    assert "secret" not in response.text


async def test_who_hangs_up_in_a_stream_leaves_no_job_behind(bridge: Bridge, http: Callable[..., Any]) -> None:
    bridge.engine.gate.clear()
    asked = {"prompt": "x", "size": "64x64", "stream": True, "partial_images": 3}
    async with http() as client:
        async with client.stream("POST", "/v1/images/generations", json=asked) as response:
            assert await anext(response.aiter_lines()) == ": waiting"
            assert any(session.jobs for session in bridge.server.service._sessions.values())
        async with asyncio.timeout(60):
            while any(session.jobs for session in bridge.server.service._sessions.values()):
                await asyncio.sleep(0.01)


async def test_endpoints_that_there_are_not(bridge: Bridge, http: Callable[..., Any]) -> None:
    async with http() as client:
        for method, path, status in (("GET", "/v1/chat", 404), ("GET", "/v1/images/edits", 405)):
            response = await client.request(method, path)
            assert response.status_code == status
            told(response)
