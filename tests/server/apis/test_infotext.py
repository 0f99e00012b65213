"""The text that says how a picture was made, there and back."""

from __future__ import annotations

from dataclasses import replace

from job_forms import with_settings

from bridge.protocol.messages import Condition, Picture, Recipe, Rect, job_settings
from bridge.server.apis.a1111.infotext import infotext, parse_infotext
from bridge.server.apis.a1111.orders import ImageOrder, read_txt2img

ORDER = read_txt2img({"prompt": "a cat\nSteps: 3 of them", "negative_prompt": "grey,\nred: all", "seed": 5})
RECIPE = Recipe(
    job_settings({"seed": 7, "guidance": 7.5, "sampler": "Euler a", "checkpoint": "style: red, no. 2"}),
    Rect(0, 0, 8, 8), "abcdef0123456789", 8, 8, False, "cpu float32", {},
)  # fmt: skip


def test_there_and_back() -> None:
    text = infotext(replace(ORDER, width=640), RECIPE, "1.0")
    assert 'Model: "style: red, no. 2"' in text
    assert parse_infotext(text) == {
        "Prompt": "a cat\nSteps: 3 of them",
        "Negative prompt": "grey,\nred: all",
        "Steps": "50",
        "Sampler": "Euler a",
        "CFG scale": "7.5",
        "Seed": "7",
        "Size": "640x512",
        "Model hash": "abcdef0123",
        "Model": "style: red, no. 2",
        "Version": "Paintbridge 1.0",
    }


def test_what_is_said_of_a_masked_picture() -> None:
    fields = {name: getattr(ORDER, name) for name in ORDER.__dataclass_fields__}
    fields["strength"] = 0.5
    order = ImageOrder(**fields, picture=b"p", mask=b"m", mask_blur=4.0, full_res_padding=32)
    parts = parse_infotext(infotext(order, RECIPE, "1.0"))
    assert (parts["Denoising strength"], parts["Mask blur"]) == ("0.5", "4")
    assert (parts["Inpaint area"], parts["Masked area padding"]) == ("Only masked", "32")


def test_what_is_said_of_what_guided_it() -> None:
    use = Condition("scribble", Picture("0" * 64, 1, 8, 8, 1), strength=0.5, controlnet="lines")
    recipe = with_settings(RECIPE, conditions=(use,), controlnet_hashes=("abcdef0123456789",))
    text = infotext(ORDER, recipe, "1.0")
    assert parse_infotext(text)["ControlNet 0"] == (
        "Module: none, Model: lines [abcdef01], Weight: 0.5, Guidance Start: 0, Guidance End: 1"
    )


def test_texts_of_others() -> None:
    assert parse_infotext("just words") == {"Prompt": "just words", "Negative prompt": ""}
    theirs = 'a dog\nSteps: 20, Sampler: DPM++ 2M, Seed: 3, Lora hashes: "a: 1, b: 2", Version: v1.10.1'
    assert parse_infotext(theirs)["Lora hashes"] == "a: 1, b: 2"
