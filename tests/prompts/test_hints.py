"""What other programs understand, and what looks like ours and is not: painted as words, and told."""

import pytest

from bridge.prompts import about_unknown_embeddings, named_embeddings, read, read_text, split_at_embeddings


def hints(text: str) -> tuple[str, ...]:
    return read(text, "", 0).hints


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a cat AND a dog", '"AND" is read as a word'),
        ("a cat :1.2 AND\na dog :0.8", '"AND" is read as a word'),
        ("a (red)1.3 flower", '"(red)1.3" is read as text: a weight is written (word:1.3)'),
        ("a (red)++ flower", '"(red)++" is read as text'),
        ("a flower++, red", '"flower++" is read as text'),
        ("a (red)-", '"(red)-" is read as text'),
        ("a cat\n# a dog\nin a box", '"# a dog" is read as part of the prompt: there are no comments'),
        ("// a cat", '"// a cat" is read as part'),
        ("a cat --ar 16:9", '"--ar 16:9" is read as text: prompts have no such options'),
        ("${x=red} a ${x} cat", '"${x}" is read as text: there are no variables'),
        ("a {red} cat", '"{red}" is read as text: braces choose'),
        ("a {red|blue cat", 'A "{" is never closed'),
        ("a red|blue} cat", 'A "}" closes no "{"'),
        ("a red) cat", 'A ")" closes no bracket'),
        ("a (red cat", 'A "(" is never closed'),
        ("a red] cat", 'A "]" closes no bracket'),
        ("a [red cat", 'A "[" is never closed'),
        ("a big__colour__ cat", '"__colour__" is read as text: a wildcard stands apart'),
        ("{3$$red|blue} cat", "asks for 3, and there are only 2"),
        ("[cat:dog:0.5]", "do not change on the way"),
    ],
)
def test_what_is_read_otherwise_elsewhere_is_told(text, words):
    assert any(words in hint for hint in hints(text)), hints(text)
    assert any(words in hint for hint in read("", text, 0).hints)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a red flower, (bright:1.2), [dull], {day|night}",
        "salt and pepper, Anderson, SAND, BREAK a lake",
        'a c++ book, <3 you, happy :) sad :( winking ;-) "quoted"',
        r"a cat \(tabby\) \[x\] \{y\|z\} \) \} \__no wildcard\__ \<cat-toy\>",
        "rock-and-roll -- 16:9, ratio 10:30, snake_case_name",
        "1 > 0 and 2 < 3, 50%, $5",
        "{2$$red|blue} {1-2$$ and $$red|blue} {0.5::red|blue}",
        "a blank ____ to fill __ in",
        "<lora:some__very__long__name:0.8>",
    ],
)
def test_ordinary_words_are_not_remarked_upon(text):
    # A face's mouth weighs what follows, as everywhere.
    assert [hint for hint in hints(text) if 'A "(" is never closed' not in hint] == []


def test_a_hint_says_it_once():
    assert len(hints("a AND b AND c, (red)1.3, (red)1.3")) == 2
    assert len(read("a AND b", "c AND d", 0).hints) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("EasyNegative. a cat, EASYNEGATIVE", {"EasyNegative": "EasyNegative"}),
        ("(bad-hands-5:1.2)", {"bad-hands-5": "bad-hands-5"}),
        ("embedding:easynegative", {"EasyNegative": "embedding:easynegative"}),
        ("a embedding:sub/v1.5.safetensors", {"v1.5": "embedding:sub/v1.5.safetensors"}),
        ("(embedding:bad-hands-5:1.2)", {"bad-hands-5": "embedding:bad-hands-5"}),
        ("a <Toy> of two words", {"<toy>": "<Toy>", "two words": "two words"}),
        ("negative, bad hands, v1.55, bad-hands-50, not-EasyNegative, EasyNegative2", {}),
    ],
)  # fmt: skip
def test_textual_inversions_are_named_by_words_that_stand_apart(text, said):
    names = ["EasyNegative", "bad-hands-5", "v1.5", "<toy>", "two words", "v1"]
    assert named_embeddings(read_text(text), names) == said
    pieces = [piece for passage in read_text(text) for one in passage for piece in split_at_embeddings(one.text, names)]
    assert "".join(piece for piece, _ in pieces) == "".join(one.text for passage in read_text(text) for one in passage)


def test_what_is_written_as_a_textual_inversion_and_is_none_is_told():
    told = about_unknown_embeddings(r"(embedding:bad-hands-5:1.2), embedding:Easy, a <cat-toy>, \<no-toy\>", ["easy"])
    assert [hint.split('"')[1] for hint in told] == ["embedding:bad-hands-5", "<cat-toy>"]
    assert all("there is no textual inversion of that name" in hint for hint in told)
    assert about_unknown_embeddings("a cat", ["easy"]) == ()
