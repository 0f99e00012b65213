"""What txt2img and img2img ask of the bridge, how they are stopped, and how they share it with other clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import numpy as np
import pytest
from encoded_pictures import as_base64, disc, from_base64, photograph
from job_forms import said
from recording import Recording, StepByStep, submits
from small_bridge import Bridge, Client, a_job

from bridge.protocol.messages import Cancelled, Extent, Queued, Rect, Result

PHOTO = photograph(200, 100)
MASK = disc(200, 100, 60, 50, 20)
PREFIX = "/sdapi/v1"

# As the public documentation shows it, and clients read it.
PROGRESS = {"progress", "eta_relative", "state", "current_image", "textinfo"}
STATE = {
    "skipped", "interrupted", "stopping_generation", "job", "job_count", "job_timestamp", "job_no", "sampling_step",
    "sampling_steps",
}  # fmt: skip


@pytest.fixture
async def recorded(start: Callable[..., Any]) -> Bridge:
    bridge: Bridge = await start(Recording())
    return bridge


async def until(client: httpx2.AsyncClient, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Look at progress until it is so."""
    async with asyncio.timeout(60):
        while True:
            told = (await client.get(f"{PREFIX}/progress")).json()
            if condition(told):
                return told
            await asyncio.sleep(0.01)


def picture_job(**fields: Any) -> dict[str, Any]:
    return {"init_images": [as_base64(PHOTO)], "mask": as_base64(MASK), "prompt": "a bird", **fields}


async def test_what_txt2img_asks_for(recorded, http):
    async with http(recorded) as client:
        await client.post(f"{PREFIX}/txt2img", json={
            "prompt": "a cat", "negative_prompt": "grey", "seed": (1 << 64) - 1, "n_iter": 2, "batch_size": 3,
            "steps": "4", "cfg_scale": 5, "width": 96.0, "height": 64, "sampler_index": "Heun",
        })  # fmt: skip
        await client.post(f"{PREFIX}/txt2img", json={"sampler_name": "DPM++ 2M", "scheduler": "Karras", "steps": 2})
    first, second, third = submits(recorded)
    assert (said(first).kind, said(first).prompt, said(first).negative_prompt) == ("generate", "a cat", "grey")
    assert (first.canvas, first.context, first.picture) == (Extent(96, 64), Rect(0, 0, 96, 64), None)
    assert (said(first).seed, said(first).batch, said(first).steps, said(first).guidance) == ((1 << 64) - 1, 3, 4, 5.0)
    assert (said(first).sampler, said(second).seed) == ("Heun", 2)
    assert (said(third).sampler, said(third).guidance, third.on_disconnect) == ("DPM++ 2M Karras", 7.0, "cancel")


@pytest.mark.parametrize(
    ("fill", "kind", "mode", "strength"),
    [(0, "fill", "fill", 0.6), (1, "refine", "auto", 0.6), (2, "fill", "add", 1.0), (3, "fill", "add", 0.6)],
)
@pytest.mark.parametrize("full_res", [True, False])
async def test_what_img2img_asks_for(recorded, http, fill, kind, mode, strength, full_res):
    fields = {
        "inpainting_fill": fill, "inpaint_full_res": full_res, "inpaint_full_res_padding": 8, "width": 100,
        "height": 100, "denoising_strength": 0.6, "mask_blur": 5,
    }  # fmt: skip
    async with http(recorded) as client:
        answer = (await client.post(f"{PREFIX}/img2img", json=picture_job(**fields))).json()
    (submit,) = submits(recorded)
    assert (said(submit).kind, said(submit).mode, said(submit).strength) == (kind, mode, strength)
    assert (said(submit).grow, said(submit).feather) == (0.0, 5.0)
    shape = from_base64(answer["images"][0]).shape
    if full_res:
        # The mask's bounds with blur and padding, as high as wide.
        ys, xs = np.nonzero(MASK[..., 0])
        side = np.ptp(xs) + 1 + 2 * (5 + 8)
        assert submit.canvas == Extent(200, 100)
        assert submit.context == Rect(xs.min() - 13, ys.min() - 13, side, side)
        assert shape == (100, 200, 3)
    else:
        assert (submit.canvas, submit.context) == (Extent(100, 100), Rect(0, 0, 100, 100))
        assert shape == (100, 100, 3)


async def test_blurs_by_either_name_and_none_by_default(recorded, http):
    async with http(recorded) as client:
        for fields in ({}, {"mask_blur_x": 9, "mask_blur_y": 2}, {"mask_blur": 3, "mask_blur_x": 9}, {"mask_blur": 0}):
            await client.post(f"{PREFIX}/img2img", json=picture_job(**fields))
    assert [said(submit).feather for submit in submits(recorded)] == [4.0, 9.0, 3.0, 0.0]


async def test_progress_and_interrupt_in_mid_job(bridge, http):
    bridge.engine.gate.clear()
    async with http() as client:
        idle = (await client.get(f"{PREFIX}/progress")).json()
        assert set(idle) == PROGRESS
        assert set(idle["state"]) == STATE
        assert (idle["progress"], idle["state"]["job_count"], idle["current_image"]) == (0.0, 0, None)
        request = asyncio.create_task(client.post(f"{PREFIX}/txt2img", json={"steps": 4, "n_iter": 2, "width": 64}))
        await until(client, lambda told: told["state"]["job"] == "txt2img")
        bridge.engine.gate.set()
        answer = (await request).json()
        assert len(answer["images"]) == 2

        bridge.engine.gate.clear()
        request = asyncio.create_task(client.post(f"{PREFIX}/txt2img", json={"steps": 4, "n_iter": 3, "width": 64}))
        await until(client, lambda told: told["state"]["job"] == "txt2img")
        assert (await client.post(f"{PREFIX}/interrupt")).json() == {}
        response = await request
        assert response.status_code == 200
        assert response.json()["images"] == []
        info = json.loads(response.json()["info"])
        # As there: what was to be made is told all the same. Clients with types read these texts.
        assert info["all_seeds"] == [info["seed"] + index for index in range(3)]
        assert info["infotexts"][0].startswith("\nSteps: 4, Sampler: Euler, ")
        assert (info["sd_model_name"], info["sd_model_hash"]) == ("outline", "0" * 10)
        nulls = {name for name, value in info.items() if value is None}
        assert nulls == {"face_restoration_model", "sd_vae_name", "sd_vae_hash"}
        assert (await client.post(f"{PREFIX}/interrupt")).json() == {}


async def test_progress_counts_steps_and_jobs_and_shows_the_picture(start, http):
    bridge = await start(StepByStep())
    bridge.engine.gate.clear()
    async with http(bridge) as client:
        request = asyncio.create_task(client.post(f"{PREFIX}/txt2img", json={"steps": 2, "n_iter": 2, "width": 64}))
        seen = []
        for share in (0.25, 0.5, 0.75):
            await until(client, lambda told: told["state"]["job"] == "txt2img")
            bridge.engine.gate.set()
            seen.append(await until(client, lambda told, share=share: told["progress"] >= share))
        assert [told["progress"] for told in seen] == [0.25, 0.5, 0.75]
        assert seen[0]["state"]["sampling_step"] == 1
        assert seen[0]["state"]["sampling_steps"] == 2
        assert seen[2]["state"]["job_no"] == 1
        assert seen[0]["eta_relative"] == 1.0
        shown = await until(client, lambda told: told["current_image"] is not None)
        assert from_base64(shown["current_image"]).shape == (4, 4, 3)
        bare = (await client.get(f"{PREFIX}/progress", params={"skip_current_image": "true"})).json()
        assert bare["current_image"] is None
        bridge.engine.gate.set()
        assert len((await request).json()["images"]) == 2


async def test_an_interrupted_request_is_answered_with_what_is_done(start, http):
    bridge = await start(StepByStep())
    bridge.engine.gate.clear()
    async with http(bridge) as client:
        job = {"steps": 1, "n_iter": 3, "width": 64, "seed": 20}
        request = asyncio.create_task(client.post(f"{PREFIX}/txt2img", json=job))
        await until(client, lambda told: told["state"]["job"] == "txt2img")
        bridge.engine.gate.set()
        await until(client, lambda told: told["state"]["job_no"] == 1)
        await client.post(f"{PREFIX}/interrupt")
        answer = (await request).json()
    assert len(answer["images"]) == 1
    assert json.loads(answer["info"])["all_seeds"] == [20]


async def test_skip_ends_one_job_and_goes_on_with_the_next(bridge, http):
    bridge.engine.gate.clear()
    async with http() as client:
        job = {"steps": 1, "n_iter": 2, "width": 64, "seed": 10}
        request = asyncio.create_task(client.post(f"{PREFIX}/txt2img", json=job))
        await until(client, lambda told: told["state"]["job_no"] == 0 and told["state"]["job_count"] == 2)
        await until(client, lambda _: bool(bridge.engine.order))
        assert (await client.post(f"{PREFIX}/skip")).json() is None
        await until(client, lambda told: told["state"]["job_no"] == 1)
        bridge.engine.gate.set()
        answer = (await request).json()
    assert len(answer["images"]) == 1
    assert json.loads(answer["info"])["all_seeds"] == [11]


async def test_interrupt_ends_what_progress_shows_and_no_websocket_clients_job(bridge, http):
    bridge.engine.gate.clear()
    artist: Client = await bridge.client()
    await artist.say(a_job("mine"))
    await artist.until(Queued)
    async with http() as client:
        older = asyncio.create_task(client.post(f"{PREFIX}/txt2img", json={"steps": 1, "width": 64, "prompt": "old"}))
        await until(client, lambda told: told["state"]["job"] == "txt2img")
        async with asyncio.timeout(60):
            while sum(len(session.jobs) for session in bridge.server.service._sessions.values()) < 2:
                await asyncio.sleep(0.01)
        newer = asyncio.create_task(client.post(f"{PREFIX}/img2img", json=picture_job(steps=1)))
        async with asyncio.timeout(60):
            while sum(len(session.jobs) for session in bridge.server.service._sessions.values()) < 3:
                await asyncio.sleep(0.01)
        # A job of the artist's that came later still: it is not this API's.
        await artist.say(a_job("later"))
        await artist.until(Queued, lambda event: event.job == "later")
        assert (await client.get(f"{PREFIX}/progress")).json()["state"]["job"] == "txt2img"
        await client.post(f"{PREFIX}/interrupt")
        assert (await older).json()["images"] == []
        bridge.engine.gate.set()
        assert len((await newer).json()["images"]) == 1
    for job in ("mine", "later"):
        assert (await artist.until(Result)).job == job
    assert not any(isinstance(message, Cancelled) for message in artist.seen)


async def test_two_clients_at_once_and_websocket_clients_take_turns(bridge, http):
    bridge.engine.gate.clear()
    artist: Client = await bridge.client()
    await artist.say(a_job("first"))
    await artist.until(Queued)
    async with http() as one, http() as two:
        requests = [
            asyncio.create_task(client.post(f"{PREFIX}/txt2img", json={"steps": 1, "width": 64, "seed": seed}))
            for client, seed in ((one, 1), (two, 2))
        ]
        async with asyncio.timeout(60):
            while sum(len(session.jobs) for session in bridge.server.service._sessions.values()) < 3:
                await asyncio.sleep(0.01)
        await artist.say(a_job("second"))
        await artist.until(Queued, lambda event: event.job == "second")
        bridge.engine.gate.set()
        answers = [(await request).json() for request in requests]
    await artist.until(Result, lambda event: event.job == "second")
    assert [json.loads(answer["info"])["all_seeds"] for answer in answers] == [[1], [2]]
    assert not np.array_equal(*(from_base64(answer["images"][0]) for answer in answers))
    # Sessions take turns: the artist's second job before this API's second.
    assert bridge.engine.order.index("second") < 3


async def test_who_hangs_up_leaves_no_job_behind(bridge, http):
    bridge.engine.gate.clear()
    async with http() as client:
        request = asyncio.create_task(client.post(f"{PREFIX}/txt2img", json={"width": 64}))
        await until(client, lambda _: bool(bridge.engine.order))
        request.cancel()
        async with asyncio.timeout(60):
            while any(session.jobs for session in bridge.server.service._sessions.values()):
                await asyncio.sleep(0.01)
        await until(client, lambda told: told["state"]["job"] == "")


async def test_a_bridge_that_ends_says_so(bridge, http):
    bridge.engine.gate.clear()
    async with http() as client:
        request = asyncio.create_task(client.post(f"{PREFIX}/txt2img", json={"width": 64}))
        await until(client, lambda _: bool(bridge.engine.order))
        bridge.server.stop()
        response = await request
    assert response.status_code == 503
    assert "shutting down" in response.json()["detail"]


@pytest.mark.parametrize("how", ["interrupt", "skip"])
async def test_they_stop_the_job_that_is_painted_when_two_requests_take_turns(start, http, how):
    bridge = await start(StepByStep())
    bridge.engine.gate.clear()
    async with http(bridge) as client:
        long = asyncio.create_task(client.post(f"{PREFIX}/txt2img", json={"steps": 1, "n_iter": 2, "width": 64}))
        await until(client, lambda _: len(bridge.engine.order) == 1)
        short = asyncio.create_task(client.post(f"{PREFIX}/img2img", json=picture_job(steps=1)))
        async with asyncio.timeout(60):
            while sum(len(session.jobs) for session in bridge.server.service._sessions.values()) < 2:
                await asyncio.sleep(0.01)
        # The first request's first job ends, and the second request's job is next: its second one has to wait.
        bridge.engine.gate.set()
        await until(client, lambda told: told["state"]["job"] == "img2img")
        await client.post(f"{PREFIX}/{how}")
        assert (await short).json()["images"] == []
        bridge.engine.gate.set()
        assert len((await long).json()["images"]) == 2
