"""A language model's states: the template and the states of diffusers' own pipelines, weights, and what is too long."""

import pytest
import torch
from diffusers import Flux2KleinPipeline, ZImagePipeline
from tiny_language_models import build_tiny_qwen3
from transformers import AutoTokenizer, Qwen3ForCausalLM, Qwen3Model

from bridge.diffusion.text_encoders.language_model import LanguageModel, encode_prompts

PROMPTS = ("a red flower", "", "  the lake, of\nblue: 花 (tree)")


class Unguarded:
    """What encoding asks of a model: nothing, unless numbers are no numbers."""

    guidance_embeds = False


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_tiny_qwen3(tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(scope="module")
def encoder(folder):
    def get(*, padded=True, thinking=False, layers=(9, 18, 27), **options):
        tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        module = Qwen3Model.from_pretrained(folder / "text_encoder", local_files_only=True).eval()
        return LanguageModel(
            tokenizer, module, torch.device("cpu"), layers=layers, thinking=thinking, padded=padded, **options
        )

    return get


@pytest.fixture(scope="module")
def whole(folder):
    return Qwen3ForCausalLM.from_pretrained(folder / "text_encoder", local_files_only=True).eval()


def encoded(encoder, positive, negative="", *, guided=True):
    return encode_prompts(encoder, positive, negative, Unguarded(), guided=guided)


@pytest.mark.parametrize("thinking", [False, True])
def test_the_template_is_qwen3s(encoder, thinking):
    one = encoder(thinking=thinking)
    for words in PROMPTS:
        turn = [{"role": "user", "content": words}]
        expected = one.tokenizer.apply_chat_template(
            turn, tokenize=False, add_generation_prompt=True, enable_thinking=thinking
        )
        assert one.template(words) == expected


@torch.no_grad()
def test_states_are_those_of_flux2_klein(encoder, whole):
    one = encoder()
    for words in PROMPTS:
        expected = Flux2KleinPipeline._get_qwen3_prompt_embeds(whole, one.tokenizer, words)
        found = one.states(words)
        assert found.shape == (1, 512, 48)
        assert torch.equal(found, expected)
    assert not torch.equal(one.states("a red flower"), one.states("a blue flower"))


@torch.no_grad()
def test_states_are_those_of_z_image(encoder, whole):
    one = encoder(padded=False, thinking=True, layers=(-2,))
    pipe = ZImagePipeline(scheduler=None, vae=None, text_encoder=whole, tokenizer=one.tokenizer, transformer=None)
    for words in PROMPTS:
        expected = pipe._encode_prompt(words, device=torch.device("cpu"))[0]
        found = one.states(words)[0]
        assert found.shape == expected.shape
        # There they are padded first, and cut.
        assert float((found - expected).abs().max()) < 1e-5 * float(expected.abs().max())


def test_padded_prompts_have_no_mask(encoder):
    prompts = encoded(encoder(), "a red flower", "sky")
    assert prompts.positive.mask is None
    assert prompts.positive.embeds.shape == prompts.negative.embeds.shape == (1, 512, 48)
    assert prompts.hints == ()


def test_prompts_that_are_not_padded_are_equally_long_under_a_mask(encoder):
    one = encoder(padded=False)
    prompts = encoded(one, "a red flower of the lake", "sky")
    alone = one.states("sky")
    negative = prompts.negative
    assert negative.embeds.shape == prompts.positive.embeds.shape
    assert bool(prompts.positive.mask.all())
    assert torch.equal(negative.embeds[:, negative.mask[0]], alone)
    assert float(negative.embeds[:, ~negative.mask[0]].abs().max()) == 0


def test_weights_have_no_effect_and_a_hint_says_so(encoder):
    one = encoder()
    plain = encoded(one, "a red flower, sky")
    weighted = encoded(one, "a (red:1.3) [flower], sky")
    assert torch.equal(weighted.positive.embeds, plain.positive.embeds)
    assert "weights such as (red:1.3) had no effect" in weighted.hints[0]
    escaped = encoded(one, r"a \(red\) flower")
    assert torch.equal(escaped.positive.embeds, one.states("a (red) flower"))
    assert escaped.hints == ()


def test_parts_are_lines(encoder):
    one = encoder()
    assert torch.equal(encoded(one, "a lake BREAK a tree").positive.embeds, one.states("a lake\na tree"))


def test_what_is_too_long_is_named(encoder):
    one = encoder()
    room = one.places - len(one.tokenizer(one.template("")).input_ids)
    # One token a word, and the template after it is cut before words are.
    fits, longer, longest = ("red " * count + "tree" for count in (room - 2, room + 3, room + 40))
    assert encoded(one, fits).hints == encoded(one, longer).hints == ()
    hint = encoded(one, f"{longest} (bird:1.2)", longest).hints
    assert hint[0].startswith('The prompt is too long for this checkpoint; it left out "red red')
    assert hint[0].endswith(' tree bird".')
    assert hint[1].startswith('The negative prompt is too long for this checkpoint; it left out "red red')
    assert encoded(one, longest).positive.embeds.shape == (1, 512, 48)


def test_a_negative_prompt_that_nobody_looks_at_is_not_read(encoder):
    one = encoder()
    calls = []
    one.module.register_forward_hook(lambda *_: calls.append(1))
    prompts = encoded(one, "a red flower", "sky", guided=False)
    assert len(calls) == 1
    assert torch.equal(prompts.negative.embeds, prompts.positive.embeds)
