"""What the model gets to see: all that is visible, the active layer alone, or the layers that are chosen."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np
import pytest
from host_bridge import HostBridge
from host_desktop import wait_for
from host_reference import reference
from krita_docker import KritaDocker
from krita_scenes import KritaScene

WIDTH, HEIGHT = KritaScene.size
# Where they overlap, and around it.
AREA = (150, 100, 30, 30)
BOXES = {"nested": (90, 70, 120, 100), "half": (130, 40, 120, 120), "offset": (-20, 90, 200, 60)}
# What the artist sees of the layers, and of the document's state.
STATE = """
[[(one.name(), one.visible(), one.opacity(), one.blendingMode()) for one in everything()],
 document().activeNode().name(), sorted(one.name() for one in Krita.activeWindow().activeView().selectedNodes()),
 [Krita.action('edit_undo').isEnabled(), Krita.action('edit_undo').text(), document().modified()]]
"""
_FUNCTIONS = """
def everything(of=None):
    for child in (of or document().rootNode()).childNodes():
        yield child
        yield from everything(child)
None
"""


@pytest.fixture
def scene(docker: KritaDocker) -> Iterator[KritaScene]:
    """A group in a group, a layer that multiplies by half, one that is partly off the canvas, and a hidden one."""
    scene = KritaScene(docker)
    docker.ask(_FUNCTIONS)
    docker.ask("outer = add('outer', kind='grouplayer')\nadd('nested', add('inner', outer, 'grouplayer'))\nNone")
    docker.ask("add('half', outer)\nadd('offset')\nadd('hidden')\nNone")
    for name, (x, y, width, height) in BOXES.items():
        docker.ask(f"node({name!r}).setPixelData(*picture({texture(name)!r}, {width}, {height}))")
        docker.ask(f"node({name!r}).move({x}, {y})")
    docker.ask(
        f"node('hidden').setPixelData(QtCore.QByteArray(b'\\xff' * {WIDTH * HEIGHT * 4}), 0, 0, {WIDTH}, {HEIGHT})\n"
        "node('hidden').setVisible(False)\n"
        "node('half').setOpacity(128)\n"
        "node('half').setBlendingMode('multiply')\n"
        "document().refreshProjection()\n"
        "document().waitForDone()"
    )
    docker.ask(f"select(*{AREA})")
    yield scene
    docker.ask("choose('source', 'visible')")
    docker.close_all()


def texture(name: str) -> str:
    return base64.b64encode(pixels_of(name).tobytes()).decode()


def pixels_of(name: str) -> np.ndarray:
    """A layer's own, (h, w, 4) u8 as Krita has them; opaque, and each another noise."""
    _, _, width, height = BOXES[name]
    pixels = np.random.default_rng(len(name)).integers(60, 250, (height, width, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    return pixels


def alone(name: str) -> np.ndarray:
    """A layer's pixels on the canvas, with nothing below."""
    x, y, width, height = BOXES[name]
    whole = np.zeros((HEIGHT + 400, WIDTH + 400, 4), np.uint8)
    whole[200 + y : 200 + y + height, 200 + x : 200 + x + width] = pixels_of(name)
    return whole[200 : 200 + HEIGHT, 200 : 200 + WIDTH]


def test_what_is_visible_active_or_chosen(scene: KritaScene, bridge: HostBridge) -> None:
    """Told by what the bridge makes of it: the very same as of the picture that should have been sent."""
    seen = scene.seen()
    check(scene, bridge, "visible", ["half"], seen)
    check(scene, bridge, "active", ["half"], alone("half"))
    check(scene, bridge, "active", ["inner"], alone("nested"))
    check(scene, bridge, "chosen", ["hidden"], np.full_like(seen, 255))
    chosen = ["half", "nested"]
    others = "[node(name) for name in ('Background', 'offset')]"
    scene.ask(f"for one in {others}:\n    one.setVisible(False)")
    scene.ask("document().refreshProjection()")
    picture = scene.seen()
    scene.ask(f"for one in {others}:\n    one.setVisible(True)")
    scene.ask("document().refreshProjection()")
    check(scene, bridge, "chosen", chosen, picture)


def check(scene: KritaScene, bridge: HostBridge, source: str, layers: list[str], picture: np.ndarray) -> None:
    """Let a source be read, with layers chosen of which the first is the active one."""
    docker = scene.docker
    docker.ask(f"choose_layers(*{layers!r})\nchoose('source', {source!r})\ndocument().setModified(False)")
    before, seen = docker.ask(STATE), scene.seen()
    assert before[1:3] == [layers[0], sorted(layers)]
    docker.generate("remove")
    assert docker.ask(STATE) == before, "nothing is toggled, and nothing is to be undone"
    assert np.array_equal(scene.seen(), seen)
    check_layer(scene, bridge, picture)


def check_layer(scene: KritaScene, bridge: HostBridge, picture: np.ndarray) -> None:
    """Apply what was made: the same as of this picture, as Krita has it."""
    docker, wanted = scene.docker, picture[..., [2, 1, 0, 3]]
    docker.click("apply")
    wait_for(lambda: docker.ask("node('Paintbridge') is not None"), "the layer")
    layer = scene.layer("Paintbridge")[..., [2, 1, 0, 3]]
    docker.ask("act('edit_undo')")
    selection = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y, width, height = AREA
    selection[y : y + height, x : x + width] = 255
    (made,) = reference(bridge, wanted, selection, kind="fill", mode="remove").layers
    expected = np.zeros_like(layer)
    expected[made.y :, made.x :][: made.picture.height, : made.picture.width] = made
    assert np.array_equal(layer, expected)
    assert layer[..., 3].any()


def test_a_mask_that_is_looked_at_alone(scene: KritaScene, bridge: HostBridge) -> None:
    """Isolated, by Alt and a click in the Layers docker: the model still sees the picture, not the mask."""
    docker = scene.docker
    docker.ask("node('offset').addChildNode(document().createTransparencyMask('mask'), None)\ndocument().waitForDone()")
    docker.ask("document().refreshProjection()")
    seen = scene.seen()
    docker.ask("choose_layers('mask')\nKrita.action('isolate_active_layer').trigger()\ndocument().waitForDone()")
    assert docker.ask("document().pixelData(0, 0, 10, 10).size()") == 100, "a byte for each pixel"
    docker.generate("remove")
    docker.ask("Krita.action('isolate_active_layer').trigger()\ndocument().waitForDone()")
    check_layer(scene, bridge, seen)


def test_what_ends_while_it_is_being_read(scene: KritaScene) -> None:
    """Jobs and documents. Krita sees to events while it is asked for something, so that a job may end in the middle.
    What is of Krita is let go at once: found later, on whichever thread, it would take Krita down.
    """
    docker = scene.docker
    docker.ask("import gc\ngc.collect()\ngc.disable()\nchoose('source', 'chosen')\nchoose_layers('half', 'nested')")
    ours = (
        "[type(one).__name__ for one in gc.get_objects() if type(one).__module__.startswith('paintbridge_krita.')"
        " and type(one).__name__ in ('Painting', 'CooperativeTask', 'JobTarget', 'Submission')]"
    )
    for delay in range(0, 60, 4):
        docker.ask(f"QtCore.QTimer.singleShot({delay}, docker.cancel)\ndocker.generate()")
    for _ in range(15):
        docker.ask("docker.cancel()")
    wait_for(lambda: not docker.enabled("cancel"), "all jobs to end", 60)
    docker.ask("discard_all()")
    wait_for(lambda: docker.ask("len(Krita.documents())") == 1, "what is nobody's to be closed", 60)
    assert docker.ask(ours) == []
    docker.ask("docker.generate()")
    docker.close_all()
    wait_for(lambda: not docker.ask("bool(docker._jobs.under_way)"), "the job to end without its document", 60)
    docker.ask("discard_all()")
    assert docker.ask(ours) == []
    docker.ask("gc.enable()")
