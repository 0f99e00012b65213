"""The plug-in, installed by our own command, in the real Krita."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from host_desktop import Desktop, wait_for
from host_room import HostRoom
from krita_host import KritaHost

STATE = """
from PyQt5 import QtWidgets
[label.text() for label in window.findChildren(QtWidgets.QLabel, "paintbridge_absence")]
"""


@pytest.fixture
def krita(host_room: HostRoom) -> Iterator[KritaHost]:
    with tempfile.TemporaryDirectory(prefix="paintbridge-host-") as share, Desktop(host_room, Path(share)) as desktop:
        host = KritaHost(desktop)
        host.install()
        host.start()
        yield host


def test_the_docker_is_there_and_says_that_no_bridge_runs(krita: KritaHost) -> None:
    assert krita.ask("Krita.version()").startswith("5.2")
    (words,) = wait_for(lambda: [text for text in krita.ask(STATE) if text], "what the docker says")
    assert "No bridge was found" in words
