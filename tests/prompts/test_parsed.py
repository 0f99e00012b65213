"""Weights and LoRAs in a prompt, as artists know them from other programs."""

import pytest

from bridge.prompts import Fragment, NamedLora, PromptUnreadable, read, read_text


def weighed(text: str) -> list[tuple[str, float]]:
    (part,) = read_text(text)
    return [(fragment.text, round(fragment.weight, 4)) for fragment in part]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a red flower", [("a red flower", 1)]),
        ("a (red) flower", [("a ", 1), ("red", 1.1), (" flower", 1)]),
        ("a ((red)) flower", [("a ", 1), ("red", 1.21), (" flower", 1)]),
        ("a (red:1.3) flower", [("a ", 1), ("red", 1.3), (" flower", 1)]),
        ("(red: .5 )", [("red", 0.5)]),
        ("(red:-1)", [("red", -1)]),
        ("[red]", [("red", 0.9091)]),
        ("[[red]]", [("red", 0.8264)]),
        ("(a [b] c:2)", [("a ", 2), ("b", 1.8182), (" c", 2)]),
        ("(a (b:1.5) c)", [("a ", 1.1), ("b", 1.65), (" c", 1.1)]),
        ("((a:1.2):1.5)", [("a", 1.8)]),
        ("(a:1.0) b", [("a b", 1)]),
        ("[(a:1.1)] b", [("a b", 1)]),
        ("()a", [("a", 1)]),
        (r"a \(red\) flower", [("a (red) flower", 1)]),
        (r"\[a\] \\ \{b\|c\}", [(r"[a] \ {b|c}", 1)]),
        (r"(a \(b\):1.5)", [("a (b)", 1.5)]),
        (r"back\slash", [(r"back\slash", 1)]),
        ("a\\", [("a\\", 1)]),
        ("a) b]", [("a) b]", 1)]),
        ("10:30, ratio 16:9", [("10:30, ratio 16:9", 1)]),
        ("(a:b)", [("a:b", 1.1)]),
        ('<3 :) c++ -- "quoted"', [('<3 :) c++ -- "quoted"', 1)]),
    ],
)
def test_weights(text, expected):
    assert weighed(text) == expected


def test_a_bracket_that_is_never_closed_weighs_the_rest_and_is_told():
    reading = read("a (b c", "[d", 0)
    assert weighed(reading.positive) == [("a ", 1), ("b c", 1.1)]
    assert weighed(reading.negative) == [("d", 0.9091)]
    assert len(reading.hints) == 2
    assert "never closed" in reading.hints[0]


def test_break_begins_another_window():
    assert read_text("a red BREAK blue (sky BREAK tree:1.5)") == (
        (Fragment("a red "),),
        (Fragment(" blue "), Fragment("sky ", 1.5)),
        (Fragment(" tree", 1.5),),
    )
    assert len(read_text("BREAKFAST break")) == 1


@pytest.mark.parametrize("text", ["[cat:dog:0.5]", "[cat:0.5]", "[cat|dog]", "[(a:1.2) b:c:10]"])
def test_what_changes_on_the_way_elsewhere_is_told(text):
    assert "do not change on the way" in read(text, "", 0).hints[0]
    assert read("[cat] [a: b]", "", 0).hints == ()


@pytest.mark.parametrize("text", ["(at 10:30)", "(a:11)", "(" * 40 + "a" + ")" * 40, "(a:-12)"])
def test_weights_beyond_reason_are_refused(text):
    with pytest.raises(PromptUnreadable, match="weight") as refused:
        read(text, "", 0)
    assert refused.value.code == "prompt_unreadable"
    assert refused.value.hint


@pytest.mark.parametrize(
    ("text", "words", "loras"),
    [
        ("a red flower", "a red flower", []),
        ("a <lora:ink:0.8> flower", "a  flower", [("ink", 0.8)]),
        ("<lora:ink>", "", [("ink", 1)]),
        ("<lyco:ink:0.5><LoRA:oil>", "", [("ink", 0.5), ("oil", 1)]),
        (r"\<lora:a", r"\<lora:a", []),
        ("<lora: my ink (v2) :-0.5>a", "a", [("my ink (v2)", -0.5)]),
        ("<lora:a:1><lora:b:.5>", "", [("a", 1), ("b", 0.5)]),
        ("<lora:a:0.5> <lora:a:0.25>", "", [("a", 0.75)]),
        (r"\<lora:a:1>", r"\<lora:a:1>", []),
        ("i <3 you > me", "i <3 you > me", []),
    ],
)
def test_loras(text, words, loras):
    reading = read(text, "", 0)
    assert reading.positive.strip() == words
    assert reading.loras == tuple(NamedLora(*lora) for lora in loras)


@pytest.mark.parametrize(
    "text",
    [
        "<lora::1>",
        "<lora:a:x>",
        "<lora:a:0.5:0.7>",
        "<lora:a:nan>",
        "<lora:a:6><lora:a:6>",
        "<lora:a:11>",
        "<lyco::1>",
        "<hypernet:a:1>",
        "<hypernet:a",
        "<lora:a",
        "<lora:a:0.8, red",
        "<LORA:a <lora:b:1>",
        "red <lyco:a:1",
        "<embed:a>",
    ],
)
def test_loras_that_cannot_be_meant_are_refused(text):
    with pytest.raises(PromptUnreadable) as refused:
        read(text, "", 0)
    assert refused.value.hint


def test_more_loras_than_can_be_worn_are_refused():
    assert len(read("".join(f"<lora:{number}>" for number in range(32)), "", 0).loras) == 32
    with pytest.raises(PromptUnreadable, match="33 LoRAs"):
        read("".join(f"<lora:{number}>" for number in range(33)), "", 0)


def test_a_lora_in_the_negative_prompt_is_refused():
    with pytest.raises(PromptUnreadable, match="negative prompt"):
        read("a", "<lora:a:1>", 0)


def test_pictures_of_one_wording_are_equal():
    assert read("a {b|b}", "c", 1) == read("a {b|b}", "c", 2)
    assert read("a (b)", "", 1) != read("a (b:1.2)", "", 1)
