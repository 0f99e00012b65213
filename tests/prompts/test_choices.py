"""Choices: seeded, nested, and never to be told from the text that was chosen."""

from collections import Counter

import pytest

from bridge.prompts import PromptUnreadable, read


def chosen(text: str, seed: int) -> str:
    return read(text, "", seed).chosen


@pytest.mark.parametrize(
    "text", ["", "a red flower", "a, b (c:1.2) [d]", "{a}", "{", "}", "a|b", r"\{a|b\}", "{a {b} c}"]
)
def test_text_without_a_choice_stays_as_it_is(text):
    assert chosen(text, 3) == text


def test_every_alternative_is_drawn_about_as_often():
    drawn = Counter(chosen("a {red|green|blue} bird", seed) for seed in range(600))
    assert drawn.keys() == {"a red bird", "a green bird", "a blue bird"}
    assert min(drawn.values()) > 150


def test_the_same_seed_draws_the_same_and_the_draw_never_changes():
    # Fixed for good: recipes of earlier versions must give the same pictures.
    assert [chosen("{a|b|c|d}{a|b|c|d}", seed) for seed in (0, 1, 7, 2**64 - 1)] == ["ad", "bc", "aa", "bd"]


def test_choices_do_not_depend_on_each_other():
    for seed in range(30):
        assert chosen("{a|b} {c|d}", seed)[2] == chosen("{x|y} {c|d}", seed)[2]
    pairs = {chosen("{a|b} {c|d}", seed) for seed in range(60)}
    assert pairs == {"a c", "a d", "b c", "b d"}


def test_the_negative_prompt_draws_for_itself():
    readings = [read("{a|b}", "{a|b}", seed) for seed in range(40)]
    assert {(reading.chosen, reading.chosen_negative) for reading in readings} == {
        (one, other) for one in "ab" for other in "ab"
    }


def test_nested():
    assert {chosen("{a|{b|c} d|}", seed) for seed in range(100)} == {"a", "b d", "c d", ""}
    assert {chosen("{ {a|b} }", seed) for seed in range(20)} == {"{ a }", "{ b }"}
    assert {chosen("x{(a:1.2)|[b]}", seed) for seed in range(20)} == {"x(a:1.2)", "x[b]"}


def test_escaped_braces_and_bars_are_text():
    assert {chosen(r"{a\|b|c\}}", seed) for seed in range(30)} == {r"a\|b", r"c\}"}


def test_braces_that_are_not_closed_are_text():
    assert {chosen("{a|b} {c", seed) for seed in range(20)} == {"a {c", "b {c"}
    assert {chosen("{c {a|b}", seed) for seed in range(20)} == {"{c a", "{c b"}
    assert chosen("{" * 8000, 1) == "{" * 8000
    assert chosen("a\\", 1) == "a\\"


def test_choices_beyond_reason_are_refused():
    with pytest.raises(PromptUnreadable, match="choices within choices"):
        chosen("{a|" * 4000 + "}" * 4000, 1)


def test_a_lora_can_be_chosen():
    names = {tuple(lora.name for lora in read("a {<lora:one>|<lora:two:0.5>|}", "", seed).loras) for seed in range(60)}
    assert names == {("one",), ("two",), ()}
