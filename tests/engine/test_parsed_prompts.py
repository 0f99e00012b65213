"""Weights, choices and LoRAs in whole jobs: each picture of a batch as it would be alone, and recipes that say so."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from job_forms import said, submit_of, with_settings
from safetensors.torch import load_file, save_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl
from tiny_controlnets import build_tiny_controlnet
from tiny_embeddings import build_tiny_embedding
from tiny_loras import build_tiny_lora

from bridge.diffusion import Device
from bridge.engine.executor import JobExecutor, Painted
from bridge.engine.inputs import Inputs, bridge_error
from bridge.models import ControlNetRegistry, LoraRegistry, LoraUnknown, LoraUnsupported, ModelsError, Registry
from bridge.painter import Cancelled
from bridge.prompts import PromptUnreadable
from bridge.protocol.messages import Condition, EmbeddingUse, Extent, Rect, ResultFormat, Submit
from bridge.protocol.pixels import describe

CPU = Device("cpu", "test", 1 << 30, "float32", "Tests run on the CPU.")
SIZE = 96


class Hooks:
    def __init__(self, most_looks: int = 1 << 30) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self._left = most_looks

    def stage(self, name: str, step: int, steps: int) -> None:
        self.stages.append((name, step, steps))

    def preview(self, rgb: np.ndarray, step: int) -> None:
        pass

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Cancelled


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("home") / "models"
    tiny = build_tiny_sd1(models / "tiny", inpaint=True)
    build_tiny_sd1(models / "shy", inpaint=False, empty_prompt="infill")
    build_tiny_lora(tiny, models / "loras" / "ink.safetensors")
    build_tiny_controlnet(tiny, models / "controlnet" / "scribble", speaks=0.3)
    build_tiny_lora(tiny, models / "loras" / "oil.safetensors", seed=5, layout="diffusers")
    build_tiny_lora(tiny, models / "loras" / "lcm-lora.safetensors", seed=6)
    build_tiny_lora(build_tiny_sdxl(models / "xl", inpaint=False), models / "loras" / "large.safetensors")
    return models


@pytest.fixture
def open_executor(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path))
    folders = [home]
    registries = Registry(folders, default="tiny"), LoraRegistry(folders), ControlNetRegistry(folders)
    return lambda: JobExecutor(*registries, CPU)


@pytest.fixture
def executor(open_executor: Any) -> JobExecutor:
    return open_executor()


def job(prompt: str, **options: Any) -> Submit:
    values = {"kind": "fill", "seed": 7, "steps": 3, "strength": 1.0, "checkpoint": "tiny", **options}
    context = Rect(0, 0, SIZE, SIZE)
    return submit_of(
        job="a", canvas=Extent(SIZE, SIZE), context=context, prompt=prompt, result=ResultFormat("f32"), **values
    )


def done(executor: JobExecutor, submit: Submit, hooks: Hooks | None = None) -> Painted:
    rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    selection = np.zeros((SIZE, SIZE), np.float32)
    selection[30:70, 25:65] = 1
    drawing = np.dstack([selection, selection, selection, np.ones_like(rows)])
    drawings = tuple((drawing, None) for _ in said(submit).conditions)
    inputs = Inputs(np.dstack([rows, columns, 1 - rows, np.ones_like(rows)]), selection, drawings)
    return executor.do(submit, inputs, hooks or Hooks())


def pixels(painted: Painted, index: int = 0) -> np.ndarray:
    picture = painted.layers[index].picture
    found = np.frombuffer(painted.pictures[picture.hash], np.float32)
    return found.reshape(picture.height, picture.width, 4)


@pytest.mark.parametrize("kind", ["fill", "refine", "generate"])
def test_each_picture_of_a_batch_can_be_made_again_alone(executor: JobExecutor, open_executor: Any, kind: str) -> None:
    prompt = "a {(red:1.4)|blue} flower {|<lora:ink:{0.5|1}>|<lora:oil> [tree]}"
    submit = job(prompt, batch=6, negative_prompt="{sky|lake}", kind=kind, strength=0.8)
    batch = done(executor, submit)
    recipes = [layer.recipe for layer in batch.layers]
    assert [said(recipe).seed for recipe in recipes] == list(range(7, 13))
    assert all(said(recipe).prompt == prompt for recipe in recipes)
    assert len({recipe.chosen_prompt for recipe in recipes}) > 2
    assert len({recipe.chosen_negative_prompt for recipe in recipes}) == 2
    assert {len(recipe.loras) for recipe in recipes} == {0, 1}
    for index, recipe in enumerate(recipes):
        fresh = done(open_executor(), with_settings(submit, batch=1, seed=said(recipe).seed))
        assert fresh.layers[0].recipe == recipe
        assert np.array_equal(pixels(fresh), pixels(batch, index))
        # What was chosen, written out, is the same picture too.
        plain = done(executor, job(recipe.chosen_prompt, kind=kind, strength=0.8, seed=said(recipe).seed,
                                 negative_prompt=recipe.chosen_negative_prompt))  # fmt: skip
        assert np.array_equal(pixels(plain), pixels(batch, index))
        assert plain.layers[0].recipe.chosen_prompt == ""
        assert plain.layers[0].recipe.loras == recipe.loras


def test_denoised_together_on_a_gpu(executor: JobExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = "a {red|blue} flower {|<lora:ink:0.8>}"
    alone = [pixels(done(executor, job(prompt, seed=seed))) for seed in range(7, 15)]
    monkeypatch.setattr(Device, "batches", property(lambda _: True))
    batch = done(executor, job(prompt, batch=8))
    recipes = [layer.recipe for layer in batch.layers]
    of_prompt = [sum(other.chosen_prompt == recipe.chosen_prompt for other in recipes) for recipe in recipes]
    assert max(of_prompt) > 1
    assert [recipe.batched for recipe in recipes] == [count > 1 for count in of_prompt]
    for index, picture in enumerate(alone):
        assert np.abs(picture - pixels(batch, index)).max() < 1 / 255


def test_the_steps_of_all_pictures_are_counted_as_one_job(executor: JobExecutor) -> None:
    hooks = Hooks()
    done(executor, job("a {red|blue|green} flower", batch=5), hooks)
    told = [(step, steps) for name, step, steps in hooks.stages if name == "denoise"]
    assert {steps for _, steps in told} == {5 * 3}
    assert [step for step, _ in told] == sorted(step for step, _ in told)
    assert told[-1][0] == 5 * 3


def test_a_lora_is_in_the_recipe_and_its_absence_leaves_no_trace(
    executor: JobExecutor, open_executor: Any, home: Path
) -> None:
    plain = done(open_executor(), job("a red flower"))
    worn = done(executor, job("a red flower <lora:INK:0.8>"))
    again = done(executor, job("a red flower"))
    assert np.array_equal(pixels(again), pixels(plain))
    assert again.layers[0].recipe == plain.layers[0].recipe
    assert np.array_equal(pixels(done(executor, job("<lora:ink:0> a red flower"))), pixels(plain))
    assert np.abs(pixels(worn) - pixels(plain)).max() > 0.01
    (used,) = worn.layers[0].recipe.loras
    assert (used.name, used.strength) == ("ink", 0.8)
    assert used.hash == LoraRegistry([home]).find("ink").hash
    stronger = done(executor, job("a red flower <lora:ink:0.9>"))
    assert np.abs(pixels(worn) - pixels(stronger)).max() > 1e-4
    assert np.array_equal(pixels(done(executor, job("a red flower <lora:ink:0.8>"))), pixels(worn))


def test_the_infill_answers_pictures_of_which_nothing_is_asked(executor: JobExecutor) -> None:
    """On a checkpoint that leaves empty prompts to the infill, a choice may ask some pictures and not others."""
    batch = done(executor, job("{|a red flower}", batch=6, checkpoint="shy"))
    for index, layer in enumerate(batch.layers):
        recipe = layer.recipe
        assert said(recipe).steps == (3 if recipe.chosen_prompt else None)
        alone = done(executor, job("{|a red flower}", seed=said(recipe).seed, checkpoint="shy"))
        assert np.array_equal(pixels(alone), pixels(batch, index))
    assert {said(layer.recipe).steps for layer in batch.layers} == {None, 3}
    only = done(executor, job("<lora:ink>", checkpoint="shy"))
    assert said(only.layers[0].recipe).steps is None


def test_a_distilled_lora_brings_its_steps_guidance_and_sampler(executor: JobExecutor) -> None:
    painted = done(executor, job("a red flower <lora:lcm-lora>", steps=None))
    recipe = painted.layers[0].recipe
    assert (said(recipe).steps, said(recipe).guidance, said(recipe).sampler) == (6, 1.0, "LCM")
    assert painted.hints == ()
    own = done(executor, job("a red flower <lora:lcm-lora>", steps=25, guidance=7.0, sampler="Euler"))
    recipe = own.layers[0].recipe
    assert (said(recipe).steps, said(recipe).guidance, said(recipe).sampler) == (25, 7.0, "Euler")
    assert "The LoRA lcm-lora is made for 2 to 8 steps" in own.hints[0]
    for strength in ("0", "-1"):
        other = done(executor, job(f"a red flower <lora:lcm-lora:{strength}>", steps=None)).layers[0].recipe
        assert (said(other).steps, said(other).sampler) == (4, "DDIM")


def test_wildcards_lie_beside_the_checkpoints_and_are_drawn_as_choices_are(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path))
    (home / "wildcards").mkdir()
    (home / "wildcards" / "colour.txt").write_text("red\nblue\n<lora:ink:0.5> white\n")
    registries = Registry([home], default="tiny"), LoraRegistry([home]), ControlNetRegistry([home])
    executor = JobExecutor(*registries, CPU, [home])
    batch = done(executor, job("a __colour__ flower", seed=4, batch=2))
    assert len({layer.recipe.chosen_prompt for layer in batch.layers}) > 1
    for index, layer in enumerate(batch.layers):
        plain = done(executor, job(layer.recipe.chosen_prompt, seed=said(layer.recipe).seed))
        assert np.array_equal(pixels(plain), pixels(batch, index))
        assert plain.layers[0].recipe.loras == layer.recipe.loras
    with pytest.raises(ModelsError) as refused:
        done(executor, job("a __colours__ flower"))
    told = bridge_error(refused.value)
    assert told is not None
    assert (told.code, told.hint) == ("wildcard_unknown", "Close to it: colour.")


def test_hints_of_the_prompt_reach_the_artist(executor: JobExecutor) -> None:
    assert "never closed" in done(executor, job("a (red flower")).hints[0]


@pytest.mark.parametrize(
    ("prompt", "kind", "code"),
    [
        ("a <lora:inky:1>", LoraUnknown, "lora_unknown"),
        ("a <lora:large:1>", LoraUnsupported, "lora_unsupported"),
        ("a (flower:30)", PromptUnreadable, "prompt_unreadable"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_work(
    executor: JobExecutor, prompt: str, kind: type, code: str
) -> None:
    hooks = Hooks()
    with pytest.raises(kind) as refused:
        done(executor, job(prompt), hooks)
    told = bridge_error(refused.value)
    assert told is not None
    assert told.code == code
    assert told.hint
    assert hooks.stages == []


def test_cancelled_at_any_look_leaves_the_next_job_right(executor: JobExecutor, open_executor: Any) -> None:
    prompt = "a red flower <lora:ink:0.8><lora:oil:0.2>"
    right, plain = pixels(done(open_executor(), job(prompt))), pixels(done(open_executor(), job("a red flower")))
    looks = 0
    while True:
        try:
            done(executor, job(prompt), Hooks(most_looks=looks))
        except Cancelled:
            looks += 3
        else:
            break
    assert looks > 10
    assert np.array_equal(pixels(done(executor, job(prompt))), right)
    assert np.array_equal(pixels(done(executor, job("a red flower"))), plain)


def test_scribbles_guide_every_picture_whatever_it_wears(executor: JobExecutor, open_executor: Any) -> None:
    drawn = describe(bytes(SIZE * SIZE * 4), width=SIZE, height=SIZE, channels=4)
    prompt = "a {red|blue} flower {|<lora:ink>}"
    submit = job(prompt, batch=3, conditions=(Condition("scribble", drawn),))
    batch = done(executor, submit)
    unguided = done(executor, with_settings(submit, conditions=()))
    assert len({layer.recipe.loras for layer in batch.layers}) == 2
    for index, layer in enumerate(batch.layers):
        assert said(layer.recipe).conditions
        assert np.abs(pixels(batch, index) - pixels(unguided, index)).max() > 0.01
        alone = done(open_executor(), with_settings(submit, batch=1, seed=said(layer.recipe).seed))
        assert np.array_equal(pixels(alone), pixels(batch, index))
        assert alone.layers[0].recipe == layer.recipe


def test_textual_inversions_are_read_by_name_and_told_by_the_recipe(executor: JobExecutor, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "embeddings"
    easy = build_tiny_embedding(folder / "Easy.safetensors", "SD1")
    build_tiny_embedding(folder / "Large.safetensors", "SDXL")
    (folder / "old.pt").write_bytes(b"")
    plain, named = (done(executor, job(f"a red flower, {word}")) for word in ("blue sky", "embedding:Easy"))
    assert not np.array_equal(pixels(plain), pixels(named))
    assert named.layers[0].recipe.embeddings == (EmbeddingUse("Easy", hashlib.sha256(easy.read_bytes()).hexdigest()),)
    assert named.layers[0].recipe.chosen_prompt == ""
    assert plain.layers[0].recipe.embeddings == ()
    again = done(executor, job("a red flower, EASY"))
    assert np.array_equal(pixels(named), pixels(again))
    # Another file of that name is another picture, and not what is kept of the first.
    build_tiny_embedding(easy, "SD1", seed=9)
    assert not np.array_equal(pixels(done(executor, job("a red flower, EASY"))), pixels(again))
    told = done(executor, job("a flower", negative_prompt="Large, (old:1.2), embedding:nowhere"))
    for words in (
        '"Large" is read as words: that textual',
        '"old" is read as words, for',
        '"embedding:nowhere" is read',
    ):
        assert any(words in hint for hint in told.hints), told.hints


def test_the_embeddings_in_a_lora_count_where_it_does(executor: JobExecutor, home: Path) -> None:
    bundled = {"bundle_emb.inkword.string_to_param.*": torch.full((2, 32), 0.3)}
    save_file(load_file(home / "loras" / "ink.safetensors") | bundled, home / "loras" / "both.safetensors")
    without, named = done(executor, job("inkword")), done(executor, job("inkword <lora:both:0.5>"))
    other = done(executor, job("inkword <lora:ink:0.5>"))
    assert not np.array_equal(pixels(named), pixels(other))
    assert [use.name for use in named.layers[0].recipe.embeddings] == ["inkword"]
    assert named.layers[0].recipe.embeddings[0].hash == named.layers[0].recipe.loras[0].hash
    assert np.array_equal(pixels(without), pixels(done(executor, job("inkword <lora:both:0>"))))
