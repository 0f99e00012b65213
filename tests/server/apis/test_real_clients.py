"""Clients that people have speak to the bridge: OpenAI's own, and one of AUTOMATIC1111's API that is widely used."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import urlopen

import httpx2
import numpy as np
import openai
import pytest
import webuiapi
from encoded_pictures import disc, encode, photograph, pixels_of
from PIL import Image

WIDTH, HEIGHT = 192, 128
PHOTO = photograph(WIDTH, HEIGHT)
MASK = disc(WIDTH, HEIGHT, 100, 60, 20)


@pytest.fixture
def address(served: httpx2.Client) -> tuple[str, str]:
    """Where the bridge is, and its token."""
    base, _, token = str(served.base_url).rstrip("/").partition("/key/")
    return base, token


@pytest.fixture
def theirs(address: tuple[str, str]) -> Iterator[openai.OpenAI]:
    base, token = address
    with openai.OpenAI(base_url=f"{base}/v1", api_key=token, max_retries=0) as client:
        yield client


@pytest.fixture(params=["basic authentication", "key in the address"])
def webui(address: tuple[str, str], request: pytest.FixtureRequest) -> webuiapi.WebUIApi:
    base, token = address
    if request.param == "key in the address":
        return webuiapi.WebUIApi(baseurl=f"{base}/key/{token}/sdapi/v1")
    port = urlsplit(base).port
    assert port is not None
    client = webuiapi.WebUIApi(host="127.0.0.1", port=port)
    client.set_auth("anybody", token)
    return client


def test_openais_client(theirs: openai.OpenAI) -> None:
    assert "tiny" in [model.id for model in theirs.models.list()]
    made = theirs.images.generate(prompt="a bird", n=2, size="auto", model="dall-e-3")
    assert made.data is not None
    assert [pixels_of(base64.b64decode(entry.b64_json or "")).shape for entry in made.data] == [(64, 64, 3)] * 2
    files = [io.BytesIO(encode(pixels)) for pixels in (PHOTO, np.dstack([PHOTO, 255 - MASK]))]
    for file, name in zip(files, ("photo.png", "mask.png"), strict=True):
        file.name = name
    edited = theirs.images.edit(image=files[0], mask=files[1], prompt="a bird", model="gpt-image-1")
    assert edited.data is not None
    changed = (pixels_of(base64.b64decode(edited.data[0].b64_json or "")) != PHOTO).any(axis=2)
    assert changed[MASK[..., 0] > 127].mean() > 0.9
    assert not changed[:, :20].any()


def test_openais_client_follows_a_stream_opens_an_address_and_makes_a_variation(theirs: openai.OpenAI) -> None:
    told = list(theirs.images.generate(prompt="a bird", size="64x64", stream=True, partial_images=1))  # type: ignore[call-overload]
    # Previews of so quick a job may come too late to be shown.
    assert {event.type for event in told[:-1]} <= {"image_generation.partial_image"}
    assert told[-1].type == "image_generation.completed"
    assert pixels_of(base64.b64decode(told[-1].b64_json)).shape == (64, 64, 3)
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        theirs.images.generate(prompt="x", model="unheard-of", stream=True)
    (made,) = theirs.images.generate(prompt="x", size="64x64", response_format="url").data or ()  # type: ignore[call-overload]
    assert made.url is not None
    with urlopen(made.url) as opened:
        assert pixels_of(opened.read()).shape == (64, 64, 3)
    file = io.BytesIO(encode(PHOTO))
    file.name = "photo.png"
    # OpenAI itself has retired it.
    with pytest.warns(DeprecationWarning, match="deprecated"):
        varied = theirs.images.create_variation(image=file, n=1, response_format="b64_json")
    assert varied.data is not None
    assert pixels_of(base64.b64decode(varied.data[0].b64_json or "")).shape == PHOTO.shape


def test_openais_client_knows_the_errors(theirs: openai.OpenAI, address: tuple[str, str]) -> None:
    with pytest.raises(openai.BadRequestError, match="WIDTHxHEIGHT") as refused:
        theirs.images.generate(prompt="x", size="1x1")  # type: ignore[call-overload]
    assert refused.value.param == "size"
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        theirs.images.generate(prompt="x", model="unheard-of")
    stranger = openai.OpenAI(base_url=f"{address[0]}/v1", api_key="wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError, match="token"):
        stranger.models.list()


def test_a_client_of_automatic1111s_api(webui: webuiapi.WebUIApi) -> None:
    assert "tiny" in [model["model_name"] for model in webui.get_sd_models()]
    assert "Euler a" in [sampler["name"] for sampler in webui.get_samplers()]
    made = webui.txt2img(prompt="a cat", steps=2, width=96, height=64, seed=3)
    assert made.image.size == (96, 64)
    assert made.info["seed"] == 3
    assert made.image.info["parameters"] == made.info["infotexts"][0]
    assert made.info["paintbridge"]["ignored"] == []
    masked = webui.img2img(
        images=[Image.fromarray(PHOTO)], mask_image=Image.fromarray(MASK[..., 0]), prompt="a bird", steps=2,
        inpainting_fill=1, inpaint_full_res=True, inpaint_full_res_padding=16, mask_blur=4, width=WIDTH, height=HEIGHT,
    )  # fmt: skip
    assert masked.info["paintbridge"]["ignored"] == []
    changed = (np.asarray(masked.image) != PHOTO).any(axis=2)
    assert changed[MASK[..., 0] > 127].mean() > 0.9
    assert not changed[:, :75].any()
    enlarged = webui.extra_single_image(image=Image.fromarray(PHOTO), upscaler_1="Paintbridge", upscaling_resize=2)
    assert enlarged.image.size == (2 * WIDTH, 2 * HEIGHT)
    others = webui.extra_batch_images(
        images=[made.image, masked.image], upscaler_1=webuiapi.Upscaler.Lanczos, upscaling_resize=2
    )
    assert [image.size for image in others.images] == [(192, 128), (2 * WIDTH, 2 * HEIGHT)]
    fixed = webui.txt2img(
        prompt="a cat <lora:nowhere:1>", steps=2, width=64, height=64, enable_hr=True, hr_scale=1.5,
        hr_upscaler=webuiapi.HiResUpscaler.Latent, denoising_strength=0.5,
    )  # fmt: skip
    assert fixed.image.size == (96, 96)
    assert fixed.info["paintbridge"]["ignored"] == ["hr_upscaler"]
    assert "nowhere" in fixed.info["paintbridge"]["notes"][0]
    with pytest.raises(RuntimeError, match="describes a picture in words"):
        webui.interrogate(made.image)
    assert webui.png_info(made.image).info == made.info["infotexts"][0]
    assert webui.get_progress()["progress"] == 0
    assert webui.interrupt() == {}
    try:
        webui.util_set_model("base")
        assert webui.util_get_current_model().partition(" ")[0] == "base"
    finally:
        webui.set_options({"sd_model_checkpoint": "tiny"})


def test_its_errors_reach_its_user(webui: webuiapi.WebUIApi) -> None:
    with pytest.raises(RuntimeError, match="Sampler not found"):
        webui.txt2img(prompt="a cat", sampler_name="Unheard of")
