"""txt2img and img2img for real: pixels, seeds, files and texts, by the shapes of the public documentation."""

from __future__ import annotations

import base64
import json
from typing import Any

import cv2
import httpx2
import numpy as np
import pytest
from encoded_pictures import as_base64, disc, encode, from_base64, photograph

from bridge.imaging.png import read_texts

# The keys that clients read in the JSON text of `info`.
INFO = {
    "prompt", "all_prompts", "negative_prompt", "all_negative_prompts", "seed", "all_seeds", "subseed", "all_subseeds",
    "subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size", "restore_faces",
    "face_restoration_model", "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash", "seed_resize_from_w",
    "seed_resize_from_h", "denoising_strength", "extra_generation_params", "index_of_first_image", "infotexts",
    "styles", "job_timestamp", "clip_skip", "is_using_inpainting_conditioning", "version",
}  # fmt: skip
WIDTH, HEIGHT = 300, 200
PHOTO = photograph(WIDTH, HEIGHT)
MASK = disc(WIDTH, HEIGHT, 140, 90, 30)
BLUR = 6


def ask(served: httpx2.Client, endpoint: str, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer, and what its `info` holds."""
    response = served.post(f"/sdapi/v1/{endpoint}", json={"steps": 2, **fields})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert set(answer) == {"images", "parameters", "info"}
    info = json.loads(answer["info"])
    assert set(info) - {"paintbridge"} == INFO
    return answer, info


def inpaint(served: httpx2.Client, mask: np.ndarray = MASK, **fields: Any) -> np.ndarray:
    """What img2img makes of the photograph."""
    job = {
        "init_images": [as_base64(PHOTO)], "mask": as_base64(mask), "prompt": "a bird", "width": WIDTH,
        "height": HEIGHT, "mask_blur": BLUR, "seed": 3, "sampler_name": "DDIM",
    }  # fmt: skip
    answer, _ = ask(served, "img2img", **{**job, **fields})
    return from_base64(answer["images"][0])


def distance_to(mask: np.ndarray) -> np.ndarray:
    """Pixels from each pixel to the nearest that the mask holds."""
    return cv2.distanceTransform((mask[..., 0] == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def changed(after: np.ndarray, before: np.ndarray = PHOTO) -> np.ndarray:
    return (after != before).any(axis=2)


def test_txt2img(served):
    answer, info = ask(
        served, "txt2img", prompt="a cat, grey: small", negative_prompt="blurred", width=96, height=64, n_iter=2,
        batch_size=2, seed=41, sampler_name="Euler a", cfg_scale=4.5,
    )  # fmt: skip
    pictures = [from_base64(image) for image in answer["images"]]
    assert [picture.shape for picture in pictures] == [(64, 96, 3)] * 4
    assert len({picture.tobytes() for picture in pictures}) == 4
    assert info["all_seeds"] == [41, 42, 43, 44]
    assert (info["prompt"], info["width"], info["cfg_scale"]) == ("a cat, grey: small", 96, 4.5)
    assert answer["parameters"]["n_iter"] == 2
    assert info["infotexts"][2] == (
        "a cat, grey: small\nNegative prompt: blurred\n"
        f"Steps: 2, Sampler: Euler a, CFG scale: 4.5, Seed: 43, Size: 96x64, Model hash: {info['sd_model_hash']}, "
        f"Model: tiny, Version: {info['version']}"
    )
    again, _ = ask(
        served, "txt2img", prompt="a cat, grey: small", negative_prompt="blurred", width=96, height=64, seed=43,
        sampler_name="Euler a", cfg_scale=4.5,
    )  # fmt: skip
    assert np.array_equal(from_base64(again["images"][0]), pictures[2])


def test_the_defaults_are_that_servers(served):
    answer, info = ask(served, "txt2img", width=64, height=64)
    other, more = ask(served, "txt2img", width=64, height=64)
    assert (info["cfg_scale"], info["sampler_name"], info["batch_size"]) == (7.0, "Euler", 1)
    assert info["seed"] != more["seed"]
    assert answer["images"] != other["images"]
    response = served.post("/sdapi/v1/txt2img", json={})
    answer, info = response.json(), json.loads(response.json()["info"])
    assert (info["steps"], info["width"], info["height"]) == (50, 512, 512)
    assert from_base64(answer["images"][0]).shape == (512, 512, 3)


def test_texts_in_the_files_are_what_png_info_gives(served):
    answer, info = ask(served, "txt2img", prompt="größer, 画", width=64, height=64)
    image = answer["images"][0]
    told = served.post("/sdapi/v1/png-info", json={"image": f"data:image/png;base64,{image}"}).json()
    assert told["info"] == told["items"]["parameters"] == info["infotexts"][0]
    assert told["parameters"]["Prompt"] == "größer, 画"
    assert told["parameters"]["Seed"] == str(info["seed"])
    empty = served.post("/sdapi/v1/png-info", json={"image": as_base64(PHOTO, ".jpg")}).json()
    assert empty == {"info": "", "items": {}, "parameters": {}}


@pytest.mark.parametrize("full_res", [True, False])
@pytest.mark.parametrize("fill", [0, 1, 2, 3])
def test_nothing_changes_outside_the_mask_and_its_blur(served, fill, full_res):
    after = inpaint(served, inpainting_fill=fill, inpaint_full_res=full_res, inpaint_full_res_padding=16)
    beyond = distance_to(MASK)
    assert after.shape == PHOTO.shape
    assert not changed(after)[beyond > BLUR].any()
    assert changed(after)[MASK[..., 0] > 127].mean() > 0.9
    assert changed(after)[(beyond > 0) & (beyond < BLUR / 2)].mean() > 0.5


def test_the_fills_differ_and_only_noise_forgets_what_was_there(served):
    base = {"override_settings": {"sd_model_checkpoint": "base"}, "steps": 4}
    fills = [inpaint(served, inpainting_fill=fill, denoising_strength=0.3, **base) for fill in range(4)]
    assert len({after.tobytes() for after in fills}) == 4
    noise = [inpaint(served, inpainting_fill=2, denoising_strength=strength) for strength in (0.3, 0.9)]
    assert np.array_equal(*noise)
    plain = [inpaint(served, inpainting_fill=3, denoising_strength=strength) for strength in (0.3, 0.9)]
    assert changed(*plain).any()


def test_an_inverted_mask(served):
    after = inpaint(served, 255 - MASK, inpainting_mask_invert=1, inpaint_full_res=False)
    assert np.array_equal(after, inpaint(served, MASK, inpaint_full_res=False))
    around = inpaint(served, MASK, inpainting_mask_invert=1, inpaint_full_res=False, inpainting_fill=1)
    kept = distance_to(255 - MASK) > BLUR
    assert kept.any()
    assert not changed(around)[kept].any()
    assert changed(around)[MASK[..., 0] == 0].mean() > 0.9


def test_without_blur_the_mask_is_hard(served):
    hard = np.where(MASK > 127, 255, 0).astype(np.uint8)
    after = inpaint(served, hard, mask_blur=0)
    assert not changed(after)[hard[..., 0] == 0].any()
    assert changed(after)[hard[..., 0] > 0].mean() > 0.9


@pytest.mark.parametrize("resize_mode", [0, 1, 2, 3])
def test_the_whole_picture_at_another_size(served, resize_mode):
    after = inpaint(served, inpaint_full_res=False, width=128, height=128, resize_mode=resize_mode)
    assert after.shape == (128, 128, 3)


def test_only_masked_keeps_the_pictures_size_and_a_jpegs_pixels(served):
    file = encode(PHOTO, ".jpg")
    before = from_base64(base64.b64encode(file).decode())
    after = inpaint(served, init_images=[base64.b64encode(file).decode()], width=64, height=64)
    assert after.shape == PHOTO.shape
    assert not changed(after, before)[distance_to(MASK) > BLUR].any()
    assert changed(after, before)[MASK[..., 0] > 127].mean() > 0.9


def test_without_a_mask_all_of_it_is_repainted_at_the_wanted_size(served):
    answer, info = ask(
        served, "img2img", init_images=[as_base64(PHOTO)], width=96, height=64, denoising_strength=0.4, n_iter=2
    )
    pictures = [from_base64(image) for image in answer["images"]]
    assert [picture.shape for picture in pictures] == [(64, 96, 3)] * 2
    assert info["denoising_strength"] == 0.4
    assert "Denoising strength: 0.4" in info["infotexts"][0]
    assert answer["parameters"]["init_images"] is None
    assert changed(*pictures).mean() > 0.9


def test_checkpoints_by_title_by_option_and_for_one_request(served):
    models = {entry["model_name"]: entry for entry in served.get("/sdapi/v1/sd-models").json()}
    assert {"tiny", "base", "mini"} <= set(models)
    assert set(models["tiny"]) == {"title", "model_name", "hash", "sha256", "filename", "config"}
    job = {"prompt": "x", "width": 64, "height": 64, "seed": 1}
    _, info = ask(served, "txt2img", **job, override_settings={"sd_model_checkpoint": "base"})
    assert info["sd_model_name"] == "base"
    title = next(entry["title"] for entry in served.get("/sdapi/v1/sd-models").json() if entry["model_name"] == "base")
    assert title == f"base [{info['sd_model_hash']}]"
    assert ask(served, "txt2img", **job)[1]["sd_model_name"] == "tiny"
    try:
        assert served.post("/sdapi/v1/options", json={"sd_model_checkpoint": title}).json() is None
        options = served.get("/sdapi/v1/options").json()
        assert (options["sd_model_checkpoint"], options["sd_checkpoint_hash"][:10]) == (title, info["sd_model_hash"])
        assert ask(served, "txt2img", **job)[1]["sd_model_name"] == "base"
    finally:
        served.post("/sdapi/v1/options", json={"sd_model_checkpoint": "tiny"})
    unknown = served.post("/sdapi/v1/options", json={"sd_model_checkpoint": "unheard of"})
    assert unknown.status_code == 404
    assert "unheard of" in unknown.json()["detail"]


def test_other_kinds_of_files_and_none(served):
    job = {"prompt": "x", "width": 64, "height": 64, "seed": 1, "steps": 2}
    for form, starts in (("jpg", b"\xff\xd8"), ("webp", b"RIFF"), ("png", b"\x89PNG")):
        answer, _ = ask(served, "txt2img", **job, override_settings={"samples_format": form})
        file = base64.b64decode(answer["images"][0])
        assert file.startswith(starts)
        assert bool(read_texts(file)) == (form == "png")
    answer, info = ask(served, "txt2img", **job, send_images=False)
    assert answer["images"] == []
    assert len(info["all_seeds"]) == 1
