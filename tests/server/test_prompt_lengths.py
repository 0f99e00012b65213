"""What prompts grow to when wildcards are drawn fits the messages that carry it, or is refused."""

from __future__ import annotations

import pytest
from job_forms import submit_of

from bridge.prompts import LONGEST
from bridge.protocol.errors import BridgeError
from bridge.protocol.fields import field_specs
from bridge.protocol.messages import Conditioning, Extent, Recipe, Rect, Submit
from bridge.server.submission import named_loras


def job(prompt: str, batch: int) -> Submit:
    asked = {"kind": "generate", "prompt": prompt, "seed": 1, "batch": batch}
    return submit_of(job="a", canvas=Extent(8, 8), context=Rect(0, 0, 8, 8), **asked)


def test_a_drawn_prompt_has_room_in_a_recipe() -> None:
    limits = {
        spec.name: spec.metadata["max"]
        for kind in (Conditioning, Recipe)
        for spec in field_specs(kind)
        if "prompt" in spec.name
    }
    assert set(limits) == {"prompt", "negative_prompt", "chosen_prompt", "chosen_negative_prompt"}
    assert set(limits.values()) == {LONGEST}


def test_what_is_drawn_counts_towards_the_size_of_the_result() -> None:
    def options(_name: str) -> tuple[str, ...]:
        return ("\U0001f33b" * 4000 + "<lora:ink:1>",)

    assert named_loras(job("__long__ __long__", 16), options) == ("ink",)
    with pytest.raises(BridgeError) as refused:
        named_loras(job("__long__ __long__", 64), options)
    assert (refused.value.code, refused.value.message) == (
        "text_too_long",
        "The prompts are too long for 64 pictures at once.",
    )
