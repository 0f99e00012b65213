"""Prompts as states: short ones as the libraries encode them, long ones in windows, weighted ones without a shift."""

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl

from bridge.diffusion import load
from bridge.models import MINI, inspect

BUILDERS = {"SD1": build_tiny_sd1, "SD2": build_tiny_sd2, "SDXL": build_tiny_sdxl}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory, cpu):
    """The components of a tiny checkpoint of that family, by keywords of its builder."""
    held = {}

    def get(family, **options):
        key = (family, *options.items())
        if key not in held:
            folder = BUILDERS[family](tmp_path_factory.mktemp("tiny") / family, inpaint=False, **options)
            held[key] = load(inspect(folder), cpu, check=lambda: None)
        return held[key]

    return get


families = pytest.mark.parametrize("family", BUILDERS)


@families
@pytest.mark.parametrize("prompt", ["a red flower", "", "A RED flower, größer!  ", "red " * 75])
def test_a_short_prompt_is_encoded_as_the_stock_pipeline_does(loaded, family, prompt):
    components = loaded(family)
    kind = StableDiffusionXLPipeline if family == "SDXL" else StableDiffusionPipeline
    # With the same weights in memory: the last bits depend on where they lie.
    encoders = {text.encoder: components.modules[text.encoder] for text in components.checkpoint.family.texts}
    pipe = kind.from_pretrained(components.checkpoint.path, local_files_only=True, **encoders)
    options = {"prompt": prompt, "device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": False}
    stock = pipe.encode_prompt(**options)
    ours = components.encode_prompts(prompt, "").positive
    assert torch.equal(ours.embeds, stock[0])
    if family == "SDXL":
        assert torch.equal(ours.pooled, stock[2])


@families
def test_brackets_without_weight_change_nothing(loaded, family):
    components = loaded(family)
    plain = components.encode_prompts("a red flower (tree)", "sky")
    for written in (r"a red flower \((tree:1.0)\)", r"(a red flower \(tree\):1)", r"[(a red:1.1)] flower \(tree\)"):
        same = components.encode_prompts(written, "(sky:1)")
        bare = components.encode_prompts(r"a red flower \(tree\)", "sky")
        assert torch.equal(same.positive.embeds, bare.positive.embeds)
        assert torch.equal(same.negative.embeds, plain.negative.embeds)


@families
@pytest.mark.parametrize("weight", [0.2, 0.8, 1.3, 2.0, -0.5])
def test_a_weight_changes_its_words_in_proportion_and_leaves_the_mean(loaded, family, weight):
    components = loaded(family)
    plain = components.encode_prompts("a red flower", "").positive
    states = components.encode_prompts(f"a (red:{weight}) flower", "").positive.embeds
    assert not torch.equal(states, plain.embeds)
    for encoder in states.split([32, 48] if family == "SDXL" else [32], dim=-1):
        whole = plain.embeds[..., :32] if encoder.shape[-1] == 32 else plain.embeds[..., 32:]
        assert abs(float(encoder.mean() - whole.mean())) < 1e-6
        # "a", "red" and "flower" are tokens 1, 2 and 3; all are moved together by what the mean would have lost.
        moved = (encoder - whole)[0, 1, 0]
        assert torch.allclose(encoder[0, 2] - moved, whole[0, 2] * weight, atol=1e-5)
        others = [0, 1, *range(3, 77)]
        assert torch.allclose(encoder[0, others] - moved, whole[0, others], atol=1e-5)


def test_a_weight_leaves_the_pooled_state(loaded):
    components = loaded("SDXL")
    plain, weighed = (components.encode_prompts(text, "").positive for text in ("a red flower", "a (red:1.5) flower"))
    assert torch.equal(plain.pooled, weighed.pooled)


@families
def test_a_long_prompt_is_read_in_windows_each_as_alone(loaded, family):
    components = loaded(family)
    first, second = " ".join(["red"] * 75), " ".join(["blue"] * 40)
    long = components.encode_prompts(f"{first} {second}", "sky")
    assert long.hints == ()
    assert long.positive.embeds.shape[1] == 2 * 77
    alone = [components.encode_prompts(text, "").positive for text in (first, second)]
    assert torch.equal(long.positive.embeds, torch.cat([one.embeds for one in alone], dim=1))
    # Both prompts are equally long: the shorter one is filled up as the empty prompt is.
    sky, empty = (components.encode_prompts(text, "x").positive for text in ("sky", ""))
    assert torch.equal(long.negative.embeds, torch.cat([sky.embeds, empty.embeds], dim=1))
    if family == "SDXL":
        assert torch.equal(long.positive.pooled, alone[0].pooled)
        assert torch.equal(long.negative.pooled, sky.pooled)
    filled = components.encode_prompts("sky", f"{first} {second}").positive.embeds
    assert torch.equal(filled, long.negative.embeds)


def test_an_empty_negative_prompt_of_sdxl_is_as_many_zeros(loaded):
    long = loaded("SDXL").encode_prompts("red " * 100, "")
    assert long.negative.embeds.shape == long.positive.embeds.shape
    assert not long.negative.embeds.any()
    assert not long.negative.pooled.any()


@pytest.mark.parametrize(
    ("prompt", "windows"),
    [
        # At the last comma of a full window's end, or else between words.
        (" ".join(["red"] * 60) + ", " + " ".join(["blue"] * 30), ["red " * 60 + ",", "blue " * 30]),
        ("red, " + " ".join(["blue"] * 90), ["red, " + "blue " * 73, "blue " * 17]),
        # "zzz" falls apart into three bytes and stays whole.
        ("red " * 73 + "zzz sky", ["red " * 73, "zzz sky"]),
        ("z" * 200, ["z" * 75, None, None]),
        ("a red BREAK blue sky", ["a red", "blue sky"]),
        ("a red BREAK", ["a red", ""]),
    ],
)
def test_where_windows_part(loaded, prompt, windows):
    components = loaded("SD1")
    states = components.encode_prompts(prompt, "").positive.embeds
    assert states.shape[1] == 77 * len(windows)
    for found, words in zip(states.split(77, dim=1), windows, strict=True):
        if words is not None and not words.startswith("zz" * 20):
            assert torch.equal(found, components.encode_prompts(words, "").positive.embeds)


def test_weights_reach_into_later_windows(loaded):
    components = loaded("SD1")
    plain, weighed = (
        components.encode_prompts(f"{'red ' * 75} {text}", "").positive.embeds
        for text in ("blue sky", "(blue:1.5) sky")
    )
    assert torch.equal(plain[:, :77], weighed[:, :77])
    assert not torch.equal(plain[:, 77:], weighed[:, 77:])


def test_prompts_differ_and_repeat(loaded):
    components = loaded("SD1")
    one = components.encode_prompts("a red flower", "")
    assert one.positive.embeds.shape == one.negative.embeds.shape == (1, 77, 32)
    assert torch.equal(one.positive.embeds, components.encode_prompts("a red flower", "blue").positive.embeds)
    assert not torch.equal(one.positive.embeds, components.encode_prompts("a blue flower", "").positive.embeds)
    assert torch.equal(one.negative.embeds, components.encode_prompts("", "").positive.embeds)
    assert one.hints == ()


def test_an_encoder_that_reads_less_than_clip_has_one_window_and_says_what_is_left_out(loaded):
    components = loaded("SD1", places=16)
    fits = " ".join(["red"] * 14)
    whole = components.encode_prompts(fits, "")
    assert whole.hints == ()
    cut = components.encode_prompts(f"{fits} lake (bird:1.2)", f"{fits} tree")
    assert torch.equal(cut.positive.embeds, whole.positive.embeds)
    assert len(cut.hints) == 2
    assert '"lake bird"' in cut.hints[0]
    assert '"tree"' in cut.hints[1]
    assert "negative" in cut.hints[1]


def test_mini_reads_its_own_length(cpu):
    components = load(inspect(MINI), cpu, check=lambda: None)
    states = components.encode_prompts("a red balloon " * 8, "").positive.embeds
    assert states.shape[1] == 16
