"""Prompts as states: short ones as the libraries encode them, long ones in windows, weighted ones without a shift."""

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl

from bridge.diffusion import encode_prompt, load
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
    encoders = {text.encoder: getattr(components, text.encoder) for text in components.checkpoint.family.texts}
    pipe = kind.from_pretrained(components.checkpoint.path, local_files_only=True, **encoders)
    options = {"prompt": prompt, "device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": False}
    stock = pipe.encode_prompt(**options)
    ours = encode_prompt(components, prompt, "").wanted
    assert torch.equal(ours.states, stock[0])
    if family == "SDXL":
        assert torch.equal(ours.pooled, stock[2])


@families
def test_brackets_without_weight_change_nothing(loaded, family):
    components = loaded(family)
    plain = encode_prompt(components, "a red flower (tree)", "sky")
    for written in (r"a red flower \((tree:1.0)\)", r"(a red flower \(tree\):1)", r"[(a red:1.1)] flower \(tree\)"):
        same = encode_prompt(components, written, "(sky:1)")
        bare = encode_prompt(components, r"a red flower \(tree\)", "sky")
        assert torch.equal(same.wanted.states, bare.wanted.states)
        assert torch.equal(same.unwanted.states, plain.unwanted.states)


@families
@pytest.mark.parametrize("weight", [0.2, 0.8, 1.3, 2.0, -0.5])
def test_a_weight_changes_its_words_in_proportion_and_leaves_the_mean(loaded, family, weight):
    components = loaded(family)
    plain = encode_prompt(components, "a red flower", "").wanted
    states = encode_prompt(components, f"a (red:{weight}) flower", "").wanted.states
    assert not torch.equal(states, plain.states)
    for encoder in states.split([32, 48] if family == "SDXL" else [32], dim=-1):
        whole = plain.states[..., :32] if encoder.shape[-1] == 32 else plain.states[..., 32:]
        assert abs(float(encoder.mean() - whole.mean())) < 1e-6
        # "a", "red" and "flower" are tokens 1, 2 and 3; all are moved together by what the mean would have lost.
        moved = (encoder - whole)[0, 1, 0]
        assert torch.allclose(encoder[0, 2] - moved, whole[0, 2] * weight, atol=1e-5)
        others = [0, 1, *range(3, 77)]
        assert torch.allclose(encoder[0, others] - moved, whole[0, others], atol=1e-5)


def test_a_weight_leaves_the_pooled_state(loaded):
    components = loaded("SDXL")
    plain, weighed = (encode_prompt(components, text, "").wanted for text in ("a red flower", "a (red:1.5) flower"))
    assert torch.equal(plain.pooled, weighed.pooled)


@families
def test_a_long_prompt_is_read_in_windows_each_as_alone(loaded, family):
    components = loaded(family)
    first, second = " ".join(["red"] * 75), " ".join(["blue"] * 40)
    long = encode_prompt(components, f"{first} {second}", "sky")
    assert long.hints == ()
    assert long.wanted.states.shape[1] == 2 * 77
    alone = [encode_prompt(components, text, "").wanted for text in (first, second)]
    assert torch.equal(long.wanted.states, torch.cat([one.states for one in alone], dim=1))
    # Both prompts are equally long: the shorter one is filled up as the empty prompt is.
    sky, empty = (encode_prompt(components, text, "x").wanted for text in ("sky", ""))
    assert torch.equal(long.unwanted.states, torch.cat([sky.states, empty.states], dim=1))
    if family == "SDXL":
        assert torch.equal(long.wanted.pooled, alone[0].pooled)
        assert torch.equal(long.unwanted.pooled, sky.pooled)
    filled = encode_prompt(components, "sky", f"{first} {second}").wanted.states
    assert torch.equal(filled, long.unwanted.states)


def test_an_empty_negative_prompt_of_sdxl_is_as_many_zeros(loaded):
    long = encode_prompt(loaded("SDXL"), "red " * 100, "")
    assert long.unwanted.states.shape == long.wanted.states.shape
    assert not long.unwanted.states.any()
    assert not long.unwanted.pooled.any()


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
    states = encode_prompt(components, prompt, "").wanted.states
    assert states.shape[1] == 77 * len(windows)
    for found, words in zip(states.split(77, dim=1), windows, strict=True):
        if words is not None and not words.startswith("zz" * 20):
            assert torch.equal(found, encode_prompt(components, words, "").wanted.states)


def test_weights_reach_into_later_windows(loaded):
    components = loaded("SD1")
    plain, weighed = (
        encode_prompt(components, f"{'red ' * 75} {text}", "").wanted.states for text in ("blue sky", "(blue:1.5) sky")
    )
    assert torch.equal(plain[:, :77], weighed[:, :77])
    assert not torch.equal(plain[:, 77:], weighed[:, 77:])


def test_prompts_differ_and_repeat(loaded):
    components = loaded("SD1")
    one = encode_prompt(components, "a red flower", "")
    assert one.wanted.states.shape == one.unwanted.states.shape == (1, 77, 32)
    assert torch.equal(one.wanted.states, encode_prompt(components, "a red flower", "blue").wanted.states)
    assert not torch.equal(one.wanted.states, encode_prompt(components, "a blue flower", "").wanted.states)
    assert torch.equal(one.unwanted.states, encode_prompt(components, "", "").wanted.states)
    assert one.hints == ()


def test_an_encoder_that_reads_less_than_clip_has_one_window_and_says_what_is_left_out(loaded):
    components = loaded("SD1", places=16)
    fits = " ".join(["red"] * 14)
    whole = encode_prompt(components, fits, "")
    assert whole.hints == ()
    cut = encode_prompt(components, f"{fits} lake (bird:1.2)", f"{fits} tree")
    assert torch.equal(cut.wanted.states, whole.wanted.states)
    assert len(cut.hints) == 2
    assert '"lake bird"' in cut.hints[0]
    assert '"tree"' in cut.hints[1]
    assert "negative" in cut.hints[1]


def test_mini_reads_its_own_length(cpu):
    components = load(inspect(MINI), cpu, check=lambda: None)
    states = encode_prompt(components, "a red balloon " * 8, "").wanted.states
    assert states.shape[1] == 16
