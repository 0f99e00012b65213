"""What an artist can write into a prompt, through the whole bridge."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from job_forms import said
from whole_bridge import PATIENCE, Scene, layer_pixels

from bridge.client import Bridge
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import LoraInfo, LoraUse

PROMPT = "a {(red:1.4)|[blue]} flower, inkwash <lora:ink:0.8>"


def test_hosts_are_told_which_loras_there_are(bridge: Bridge) -> None:
    assert bridge.welcome.loras == (LoraInfo("ink", "SD1", ("inkwash",)), LoraInfo("large", "SDXL", ()))


def test_a_fill_with_a_lora_weights_and_a_choice(bridge: Bridge, models: Path) -> None:
    scene = Scene.of(320, 240, (120, 90, 70, 60))
    batch = scene.submit(bridge, prompt=PROMPT, seed=3, batch=4).result(PATIENCE)
    file = models / "models" / "loras" / "ink.safetensors"
    use = LoraUse("ink", 0.8, hashlib.sha256(file.read_bytes()).hexdigest())
    chosen = [layer.recipe.chosen_prompt for layer in batch.layers]
    assert set(chosen) == {PROMPT.replace("{(red:1.4)|[blue]}", words) for words in ("(red:1.4)", "[blue]")}
    for index, layer in enumerate(batch.layers):
        assert said(layer.recipe).prompt == PROMPT
        assert layer.recipe.loras == (use,)
        alone = scene.submit(bridge, prompt=PROMPT, seed=said(layer.recipe).seed).result(PATIENCE)
        assert np.array_equal(layer_pixels(alone), layer_pixels(batch, index))
        assert alone.layers[0].recipe == layer.recipe


def test_wildcards_are_drawn_and_the_recipe_tells_what(bridge: Bridge, models: Path) -> None:
    folder = models / "wildcards"
    (folder / "kinds").mkdir(parents=True, exist_ok=True)
    (folder / "colour.txt").write_text("# colours\nred\n{dark|light} blue\n")
    (folder / "kinds" / "flower.txt").write_text("(rose:1.2)\n__colour__ tulip <lora:ink:0.5>\n")
    scene = Scene.of(320, 240, (120, 90, 70, 60))
    prompt = "a __Colour__ __kinds/flower__"
    batch = scene.submit(bridge, prompt=prompt, negative_prompt="__colour__", seed=4, batch=2).result(PATIENCE)
    assert len({layer.recipe.chosen_prompt for layer in batch.layers}) > 1
    for index, layer in enumerate(batch.layers):
        recipe = layer.recipe
        assert (said(recipe).prompt, said(recipe).negative_prompt) == (prompt, "__colour__")
        assert re.fullmatch(
            r"a (red|(dark|light) blue) (\(rose:1.2\)|(red|(dark|light) blue) tulip <lora:ink:0.5>)",
            recipe.chosen_prompt,
        )
        assert [use.name for use in recipe.loras] == (["ink"] if "tulip" in recipe.chosen_prompt else [])
        again = scene.submit(bridge, prompt=prompt, negative_prompt="__colour__", seed=said(recipe).seed).result(
            PATIENCE
        )
        assert again.layers[0].recipe == recipe
        assert np.array_equal(layer_pixels(again), layer_pixels(batch, index))


def test_what_is_read_as_words_is_told_beside_the_picture(bridge: Bridge) -> None:
    scene = Scene.of(320, 240, (120, 90, 70, 60))
    hints = (
        scene.submit(bridge, prompt="a cat AND a dog", negative_prompt="EasyNegative, embedding:bad")
        .result(PATIENCE)
        .hints
    )
    for words in ('"AND" is read as a word', '"EasyNegative" is read as words', '"embedding:bad" is read as words'):
        assert any(words in hint for hint in hints), hints


def test_what_is_written_changes_the_picture_and_nothing_stays_behind(bridge: Bridge) -> None:
    scene = Scene.of(320, 240, (120, 90, 70, 60))

    def painted(prompt: str) -> np.ndarray:
        return layer_pixels(scene.submit(bridge, prompt=prompt, seed=5).result(PATIENCE))

    plain = painted("a red flower")
    assert not np.array_equal(painted("a (red:1.6) flower"), plain)
    assert not np.array_equal(painted("a red flower <lora:ink>"), plain)
    assert np.array_equal(painted("a red flower <lora:ink:0>"), plain)
    assert np.array_equal(painted("a red flower"), plain)


@pytest.mark.parametrize(
    ("prompt", "code", "words"),
    [
        ("a <lora:inc:0.8>", "lora_unknown", "Close to it: ink"),
        ("a <lora:large:0.8>", "lora_unsupported", "Choose a Stable Diffusion XL checkpoint"),
        ("a <lora:pickled:0.8>", "lora_unreadable", "safetensors"),
        ("a <lora:ink:lots>", "prompt_unreadable", "<lora:name:0.8>"),
        ("a <lora:ink:0.8", "prompt_unreadable", "<lora:name:0.8>"),
        ("a __colur__ flower", "wildcard_unknown", "Close to it: colour"),
        ("a __../../settings__", "wildcard_unknown", "There are: "),
        ("a __latin__ flower", "wildcard_unreadable", "UTF-8"),
        ("a __knot__", "prompt_unreadable", "Take it out"),
        ("a (flower:99)", "prompt_unreadable", "0.5 and 1.5"),
    ],
)
def test_refused_before_it_waits_with_words_that_help(
    bridge: Bridge, models: Path, prompt: str, code: str, words: str
) -> None:
    (models / "wildcards").mkdir(exist_ok=True)
    (models / "wildcards" / "colour.txt").write_text("# colours\nred\n{dark|light} blue\n")
    (models / "wildcards" / "latin.txt").write_bytes(b"gr\xfcn")
    (models / "wildcards" / "knot.txt").write_text("a __knot__")
    scene = Scene.of(320, 240, (120, 90, 70, 60))
    with pytest.raises(BridgeError) as refused:
        scene.submit(bridge, prompt=prompt).result(PATIENCE)
    assert refused.value.code == code
    assert words in refused.value.hint
