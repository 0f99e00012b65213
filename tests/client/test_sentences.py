"""Sentences with something filled in, in another language."""

from __future__ import annotations

import pytest

from bridge.client.sentences import Sentences

SPOKEN = {
    "Pull again.": "Nochmals holen.",
    "{0} jobs are waiting, which is the bridge's limit.": "Mehr als {0} Aufträge nimmt die Brücke nicht an.",
    "{0} is {1}.": "{0} ist {1}.",
    "{0} is being fetched.": "{0} wird gerade geholt.",
    "Enlarged {0} times, this has {1} pixels.": "Mit {1} Pixeln, {0}-fach vergrößert.",
    'The prompt "{0}" has {{braces}}.': 'Im Prompt "{0}" sind {{Klammern}}.',
    "Wait a while. {0}": "Etwas warten. {0}",
}


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("Pull again.", "Nochmals holen."),
        ("8 jobs are waiting, which is the bridge's limit.", "Mehr als 8 Aufträge nimmt die Brücke nicht an."),
        ("A (b)* is being fetched.", "A (b)* wird gerade geholt."),
        ("a is b.", "a ist b."),
        ("Enlarged 4 times, this has 9 pixels.", "Mit 9 Pixeln, 4-fach vergrößert."),
        ('The prompt "two\nlines {0}" has {braces}.', 'Im Prompt "two\nlines {0}" sind {Klammern}.'),
        ("Wait a while. Pull again.", "Etwas warten. Nochmals holen."),
        ("Nobody has translated this.", "Nobody has translated this."),
        ("", ""),
    ],
)
def test_a_sentence_is_told_by_what_stands_around_its_gaps(sentence: str, wanted: str) -> None:
    said = Sentences([text for text in SPOKEN if "{0}" in text], lambda text: SPOKEN.get(text, text))
    assert said(sentence) == wanted


def test_without_a_translation_it_stays_as_it_came() -> None:
    said = Sentences(["{0} is {1}."], lambda text: text)
    assert said("a is b.") == "a is b."
