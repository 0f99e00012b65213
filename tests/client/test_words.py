"""Errors in a host's language."""

from __future__ import annotations

import pytest

from bridge.client import BridgeNotFound, Refused
from bridge.client.starting import install_commands
from bridge.client.words import how_to_start, lines_for
from bridge.protocol.errors import BridgeError


def test_what_happened_and_what_to_do_are_translated_each() -> None:
    spoken = {"No document is open.": "没有打开的文档。", "Open a picture.": "打开一幅图像。"}
    error = Refused("No document is open.", "Open a picture.")
    assert lines_for(error, lambda text: spoken[text]) == list(spoken.values())


def test_an_error_without_a_hint_has_one_line() -> None:
    assert lines_for(Refused("It broke.", ""), str) == ["It broke."]


def test_what_the_bridge_refuses_has_the_hint_of_its_code() -> None:
    error = BridgeError("empty_selection")
    assert lines_for(error, str) == [error.message, error.hint]


def test_the_plug_ins_own_faults_are_told_and_logged(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise KeyError("layer")
    except KeyError as error:
        (line,) = lines_for(error, lambda text: f"> {text}")
    assert line == "> Something went wrong inside the Paintbridge plug-in (KeyError: 'layer')."
    assert "Traceback" in capsys.readouterr().err


def test_a_bridge_that_can_be_started_is_told_by_its_command() -> None:
    missing = BridgeNotFound("No bridge was found.", "Start it with: sh serve", ("sh", "serve"))
    assert how_to_start(missing, str) == "Start it with: sh serve"


def test_where_none_is_installed_the_commands_make_one() -> None:
    missing = BridgeNotFound("No bridge was found.", "", ("no-such-program-as-this", "serve"))
    words = how_to_start(missing, str)
    assert all(f"\n    {line}" in words for line in install_commands())
