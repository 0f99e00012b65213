"""Sentences for people: filled, translated, and over the wire; and errors that are told in them."""

from __future__ import annotations

import copy
import gettext
import math
import pickle

import msgpack
import pytest

from bridge.client.words import lines_for
from bridge.errors import PaintbridgeError, Sentence
from bridge.protocol import messages as m
from bridge.protocol.errors import BridgeError
from bridge.protocol.wire import decode_server, encode

GERMAN = {
    "{count} jobs wait for {more}.": "Auf {more} warten {count} Aufträge.",
    "the {what}": "den {what}",
    "Braces {a|b} {stay}.": "Klammern {a|b} {stay}.",
}


def german(text: str) -> str:
    return GERMAN.get(text, text)


def test_a_sentence_is_its_english_text() -> None:
    sentence = Sentence("{count} jobs wait for {more}.", count=8, more=Sentence("the {what}", what="moon"), left_out=1)
    assert sentence == sentence.text == "8 jobs wait for the moon."
    assert type(sentence.text) is str
    assert sentence.template == "{count} jobs wait for {more}."
    assert dict(sentence.values) == {"count": 8, "more": "the moon"}
    assert sentence.translated(german) == "Auf den moon warten 8 Aufträge."


def test_what_nobody_has_translated_stays_english_but_for_the_sentences_in_it() -> None:
    assert Sentence("{count} suns.", count=1).translated(german) == "1 suns."
    assert Sentence("Only {more}.", more=Sentence("the {what}", what="sun")).translated(german) == "Only den sun."
    assert Sentence("").translated(gettext.NullTranslations().gettext) == ""


def test_braces_without_a_value_are_text() -> None:
    assert Sentence("Braces {a|b} {stay}.") == "Braces {a|b} {stay}."
    assert Sentence("Braces {a|b} {stay}.").translated(german) == "Klammern {a|b} {stay}."
    assert Sentence("{name} {a|b} {stay}.", name="{count}", count=3) == "{count} {a|b} {stay}."


@pytest.mark.parametrize("value", [math.nan, math.inf, -(1 << 70), True, None])
def test_what_a_client_could_not_hold_becomes_text(value: object) -> None:
    sentence = Sentence("It is {value}.", value=value)
    assert sentence.values == {"value": str(value)}
    assert decode_server(encode(m.Closing(sentence))) == m.Closing(sentence)


def test_paths_and_names_become_text() -> None:
    from pathlib import Path

    sentence = Sentence("{path} cannot be read.", path=Path("/a/b\udcff"))
    assert sentence == "/a/b\ufffd cannot be read."
    sentence.encode()


@pytest.mark.parametrize("again", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_sentences_and_errors_go_from_process_to_process(again) -> None:
    sentence = again(Sentence("{count} of {more}", count=0.5, more=Sentence("the {what}", what="sun")))
    assert sentence == "0.5 of the sun"
    assert sentence.values["more"].template == "the {what}"
    error = again(BridgeError("queue_full", "{count} jobs wait.", "Wait for {count}.", count=3))
    assert (error.code, error.message, error.hint, error.closes) == ("queue_full", "3 jobs wait.", "Wait for 3.", False)
    assert error.message.template == "{count} jobs wait."


def test_an_errors_values_fill_message_and_hint() -> None:
    error = PaintbridgeError("{name} is gone.", hint="Look for {name} in {folder}.", name="mini", folder="/m")
    assert error.message == "mini is gone."
    assert error.hint == "Look for mini in /m."
    assert error.values == {"name": "mini", "folder": "/m"}
    assert str(error) == "mini is gone. Look for mini in /m."
    assert lines_for(error, german) == ["mini is gone.", "Look for mini in /m."]


def test_the_wire_has_template_values_and_text() -> None:
    hint = Sentence("Only {more}.", more=Sentence("the {what}", what="sun"))
    failed = m.Failed(1, "a", "internal", Sentence("{count} jobs wait for {more}.", count=1, more="you"), hint)
    plain = msgpack.unpackb(encode(failed))
    assert plain["message"] == {
        "id": "{count} jobs wait for {more}.",
        "values": {"count": 1, "more": "you"},
        "text": "1 jobs wait for you.",
    }
    assert plain["hint"]["values"]["more"] == {"id": "the {what}", "values": {"what": "sun"}, "text": "the sun"}
    received = decode_server(encode(failed))
    assert isinstance(received, m.Failed)
    assert received.message.translated(german) == "Auf you warten 1 Aufträge."
    assert received.hint.translated(german) == "Only den sun."


def test_what_is_too_long_for_the_wire_is_cut() -> None:
    names = ", ".join(["a checkpoint"] * 1000)
    error = m.Error("internal", Sentence("There are: {names}.", names=names), "x" * 5000)
    received = decode_server(encode(error))
    assert isinstance(received, m.Error)
    for words in (received.message, received.hint, received.message.values["names"]):
        assert isinstance(words, str)
        assert len(words) <= 1024
        assert words.endswith("...")


def test_sentences_within_sentences_end_somewhere() -> None:
    sentence = Sentence("sun")
    for _ in range(20):
        sentence = Sentence("{more}!", more=sentence)
    with pytest.raises(BridgeError) as caught:
        decode_server(encode(m.Closing(sentence)))
    assert caught.value.code == "out_of_range"
