"""LoRAs that are not here: that server goes on without them, and so does this."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from job_forms import said
from recording import Recording, submits
from tiny_checkpoints import build_tiny_sd1
from tiny_loras import build_tiny_lora

TXT2IMG = "/sdapi/v1/txt2img"


@pytest.fixture
async def with_berry(start: Any, tmp_path: Path) -> Any:
    """A bridge with a checkpoint, and one LoRA for it."""
    checkpoint = build_tiny_sd1(tmp_path / "home" / "models" / "tiny", inpaint=False)
    (tmp_path / "home" / "models" / "loras").mkdir()
    build_tiny_lora(checkpoint, tmp_path / "home" / "models" / "loras" / "berry.safetensors")
    return await start(Recording(), home=tmp_path / "home", default_checkpoint="tiny")


async def test_they_are_left_out_and_the_answer_says_so(with_berry: Any, http: Any) -> None:
    fields = {
        "prompt": "a cat <lora:berry:0.5> {red <lora:nowhere:1>|blue} <hypernet:old:1> <lora:nowhere:0.2>",
        "negative_prompt": "grey <lora:berry:1>",
        "width": 64,
    }
    async with http(with_berry) as client:
        response = await client.post(TXT2IMG, json=fields)
    assert response.status_code == 200
    (submit,) = submits(with_berry)
    assert said(submit).prompt == "a cat <lora:berry:0.5> {red |blue}  "
    assert said(submit).negative_prompt == "grey "
    info = json.loads(response.json()["info"])
    assert info["prompt"] == fields["prompt"]
    unknown, kind, negative = info["paintbridge"]["notes"]
    assert unknown.startswith("<lora:nowhere> had no effect: There is no LoRA named 'nowhere'.")
    assert kind.startswith("<hypernet:old> had no effect")
    assert "<lora:berry>" in negative


async def test_a_lora_for_another_pass(with_berry: Any, http: Any) -> None:
    fields = {"prompt": "a cat", "hr_prompt": "a <lora:gone:1>cat", "enable_hr": True, "width": 64, "height": 64}
    async with http(with_berry) as client:
        info = json.loads((await client.post(TXT2IMG, json=fields)).json()["info"])
    assert [said(submit).prompt for submit in submits(with_berry)] == ["a cat", "a cat"]
    assert "'gone'" in info["paintbridge"]["notes"][0]
