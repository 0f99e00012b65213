"""What becomes of jobs when documents, connections and bridges come and go; and what the artist reads then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from host_bridge import HostBridge
from host_desktop import wait_for
from host_gate import HostGate
from krita_docker import KritaDocker
from krita_scenes import KritaScene

from bridge.protocol.messages import PROTOCOL_VERSION

WIDTH, HEIGHT = KritaScene.size
AREA = (120, 90, 60, 50)
# A bridge that is ahead of the plug-in.
NEWER = "from bridge.protocol import messages; messages.PROTOCOL_VERSION = 99; from bridge.cli import main; main()"


class NewerBridge(HostBridge):
    command = (sys.executable, "-c", NEWER)


@pytest.fixture
def scene(docker: KritaDocker) -> Iterator[KritaScene]:
    scene = KritaScene(docker)
    docker.ask(f"select(*{AREA})")
    yield scene
    docker.close_all()


@contextmanager
def begun(docker: KritaDocker, bridge: HostBridge) -> Iterator[None]:
    """Send a job, which the bridge begins. Meanwhile it stands still."""
    docker.ask("choose('checkpoint', 'slow')\npart('steps').setValue(4)")
    with bridge.held():
        docker.click("generate")
        wait_for(lambda: docker.words("progress") == "Starting", "the bridge to begin", 60)
        yield


def ended(docker: KritaDocker, results: int) -> None:
    """Wait until so many pictures are there, and no job."""
    wait_for(lambda: docker.results() == results and not docker.enabled("cancel"), f"{results} pictures")


def says(docker: KritaDocker, *words: str) -> None:
    """Wait until the docker says all of it, in whichever of its labels."""
    try:
        wait_for(lambda: all(part in docker.ask("said()") for part in words), f"the docker to say {words}", 60)
    except AssertionError:
        raise AssertionError(docker.ask("said()")) from None


def connected(docker: KritaDocker) -> None:
    wait_for(lambda: docker.words("state") == "Connected to the bridge.", "the connection", 60)


def test_a_cut_connection_is_taken_up_again(
    scene: KritaScene, gate: HostGate, bridge: HostBridge, output: Path
) -> None:
    docker = scene.docker
    before = len(bridge.jobs())
    with begun(docker, bridge):
        gate.open = False
        gate.cut()
        says(docker, "The connection broke; taking it up again.", "got no answer", "Start it with")
        docker.desktop.screenshot(output / "cut.png")
    wait_for(lambda: len(bridge.jobs()) > before, "its end, of which nobody can be told")
    assert docker.results() == 0
    gate.open = True
    connected(docker)
    ended(docker, 1)
    assert [job["code"] for job in bridge.jobs()[before:]] == ["result"], "the same job, once"
    docker.apply()


def test_a_bridge_that_is_killed_and_started_anew(scene: KritaScene, bridge: HostBridge, output: Path) -> None:
    docker = scene.docker
    before = scene.seen()
    docker.ask("part('prompt').setPlainText('a red balloon')")
    with begun(docker, bridge):
        bridge.kill()
        says(docker, "The connection broke; taking it up again.")
    bridge.start()
    says(docker, "it was restarted", "Lost with it: a red balloon.")
    connected(docker)
    docker.desktop.screenshot(output / "lost.png")
    assert np.array_equal(scene.seen(), before)
    # What is sent again is what was read then.
    docker.ask("select(5, 5, 20, 20)")
    docker.click("message_action")
    ended(docker, 1)
    docker.apply()
    layer = scene.layer("a red balloon")
    x, y, width, height = AREA
    assert (layer[y : y + height, x : x + width, 3] == 255).all()
    assert "lost" not in docker.ask("said()")


def test_a_wrong_token_and_another_version(
    scene: KritaScene, gate: HostGate, bridge: HostBridge, tmp_path: Path, output: Path
) -> None:
    docker = scene.docker
    gate.announce(token="0" * 64)
    gate.cut()
    says(docker, "The bridge refused the token.", "`paintbridge token`")
    docker.desktop.screenshot(output / "token.png")
    assert not docker.enabled("generate")
    with NewerBridge(tmp_path / "newer") as newer:
        gate.lead_to(newer.address)
        gate.announce()
        says(docker, f"speaks version {PROTOCOL_VERSION} of the protocol; this bridge serves 99", "Update the plug-in")
        docker.desktop.screenshot(output / "version.png")
    gate.lead_to(bridge.address)
    gate.announce()
    connected(docker)
    docker.generate()


def test_two_jobs_of_two_documents(scene: KritaScene, bridge: HostBridge) -> None:
    docker = scene.docker
    docker.ask("part('prompt').setPlainText('a red balloon')\nfirst_one = document()\nNone")
    with begun(docker, bridge):
        docker.open("made(300, 200, 'RGBA', 'U8', SRGB)")
        docker.ask("select(10, 10, 40, 40)\npart('prompt').setPlainText('a red heart')\nchoose('checkpoint', None)")
        docker.click("generate")
        wait_for(lambda: docker.words("progress").endswith("(+1)"), "both to be under way")
    ended(docker, 2)
    docker.ask("part('results').selectAll()")
    docker.click("apply")
    wait_for(lambda: docker.results() == 1, "the first one's layer")
    assert docker.ask("len(layers(document()))") == 1, "each to its own"
    docker.click("apply")
    wait_for(lambda: docker.results() == 0, "the other one's layer")
    assert docker.ask("[node.name() for node in layers(document())][1:]") == ["a red heart"]
    assert docker.ask("[node.name() for node in layers(first_one)][1:]") == ["a red balloon"]


def test_a_document_that_is_closed_during_its_job(scene: KritaScene, bridge: HostBridge, output: Path) -> None:
    docker = scene.docker
    docker.ask("part('prompt').setPlainText('homeless')\nfirst_one = document()\nNone")
    with begun(docker, bridge):
        docker.open("made(300, 200, 'RGBA', 'U8', SRGB)")
        docker.ask("close_one(first_one)")
    ended(docker, 1)
    docker.click("apply")
    says(docker, "was closed", "can be added to the document that is looked at")
    docker.desktop.screenshot(output / "closed.png")
    assert docker.results() == 1, "the picture is kept"
    assert docker.ask("len(layers(document()))") == 1
    docker.click("message_action")
    wait_for(lambda: docker.ask("len(layers(document()))") == 2, "the layer")
    x, y, width, height = docker.ask("top()['at']")
    assert x < AREA[0] < AREA[0] + AREA[2] < x + width
    assert y < AREA[1] < AREA[1] + AREA[3] < y + height
    assert docker.results() == 0


CHANGES = {
    "cropped": ("document().crop(50, 40, 300, 200)", "another size"),
    "enlarged": ("document().resizeImage(0, 0, 500, 300)", "another size"),
    "moved": (f"document().resizeImage(-30, -20, {WIDTH}, {HEIGHT})", "was moved"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_canvas_that_has_changed_since(scene: KritaScene, change: str, output: Path) -> None:
    docker = scene.docker
    code, words = CHANGES[change]
    docker.generate("remove")
    docker.ask(f"{code}\ndocument().waitForDone()")
    docker.click("apply")
    says(docker, words, "add it where it was computed")
    docker.desktop.screenshot(output / f"{change}.png")
    assert docker.results() == 1, "the picture is kept"
    assert docker.ask("node('Paintbridge') is None")
    docker.click("message_action")
    wait_for(lambda: docker.ask("node('Paintbridge') is not None"), "the layer")
    at = docker.ask("top()['at']")
    assert at[0] <= AREA[0] < AREA[0] + AREA[2] <= at[0] + at[2]
    assert at[1] <= AREA[1] < AREA[1] + AREA[3] <= at[1] + at[3]
    docker.ask("act('edit_undo')")
    assert docker.ask("node('Paintbridge') is None")


def test_one_layer_that_was_moved_is_no_other_canvas(scene: KritaScene) -> None:
    docker = scene.docker
    docker.ask("add('figure').setPixelData(QtCore.QByteArray(b'\\xff' * 1600), 5, 5, 20, 20)")
    docker.generate("remove")
    docker.ask("node('figure').move(40, 60)\ndocument().refreshProjection()")
    docker.apply()
