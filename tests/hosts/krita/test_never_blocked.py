"""A fill on a very large document keeps nobody waiting: Krita's thread is watched, every 5 ms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from host_desktop import wait_for
from krita_docker import KritaDocker
from krita_watch import watched

SIDE, SELECTED, LAYERS = 8192, 2560, 10
# Any of our own work on Krita's thread, in ms.
LONGEST = 50.0

_LARGE = f"""
def large():
    document = Krita.createDocument(64, 64, "large", "RGBA", "U8", SRGB, 72.0)
    for number in range({LAYERS} - 1):
        document.rootNode().addChildNode(document.createNode(f"layer {{number}}", "paintlayer"), None)
    document.resizeImage(0, 0, {SIDE}, {SIDE})
    for number, layer in enumerate(document.rootNode().childNodes()):
        side = 2048 if number else {SIDE}
        data = QtCore.QByteArray(bytes(range(40 + number, 250)) * (side * side * 4 // 200 + 1))
        layer.setPixelData(data, 600 * number, 500 * number, side, side)
    document.refreshProjection()
    Krita.activeWindow().addView(document)
large()
"""


@pytest.fixture
def large(docker: KritaDocker) -> Iterator[KritaDocker]:
    """Ten layers, and a large square selected; without the line around that, which without a graphics card has Krita
    draw all the time.
    """
    docker.open(_LARGE)
    docker.ask("Krita.action('toggle_display_selection').trigger()")
    docker.ask(f"select({SIDE // 4}, {SIDE // 4}, {SELECTED}, {SELECTED})")
    assert docker.ask("len(layers(document()))") == LAYERS
    yield docker
    docker.ask("Krita.action('toggle_display_selection').trigger()\nchoose('context', 'auto')")
    docker.close_all()


def test_a_fill_on_a_very_large_document(large: KritaDocker, output: Path) -> None:
    """The square is read, and becomes a layer. Without a prompt mini infills only, and from little more
    than the selection: the waiting for the bridge is short.
    """
    docker = large
    docker.ask("choose('mode', 'fill')\nchoose('context', 'selection')")
    with watched(docker) as found:
        docker.click("generate")
        wait_for(lambda: docker.results() == 1 or docker.words("message"), "the picture", 400)
        docker.click("apply")
        wait_for(lambda: docker.results() == 0, "the layer")
    (output / "never-blocked.txt").write_text(found.table())
    assert docker.ask("top()['at']")[2] >= SELECTED
    # The root's class depends on Krita's version.
    called = {name.partition(".")[2] for name in found.calls}
    assert {"projectionPixelData", "pixelData", "setPixelData"} <= called
    assert {name: most for name, most in found.ours.items() if most > LONGEST} == {}
    assert not [gap for gap in found.gaps if gap[2] > LONGEST], found.table()
