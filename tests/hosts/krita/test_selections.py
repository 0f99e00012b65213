"""Whatever is selected, wherever the active layer lies: the picture lands above it, in place, in one step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from host_bridge import HostBridge
from host_desktop import wait_for
from host_reference import reference
from krita_docker import KritaDocker
from krita_scenes import KritaScene

WIDTH, HEIGHT = KritaScene.size
# What the bridge's own `reach` comes to for these: grow, and half the feather of a selection this large.
REACH = 80


@pytest.fixture
def scene(docker: KritaDocker) -> Iterator[KritaScene]:
    yield KritaScene(docker)
    docker.close_all()


def covered(*areas: tuple[int, int, int, int]) -> np.ndarray:
    """A selection of rectangles: x, y, width, height."""
    coverage = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x, y, width, height in areas:
        coverage[y : y + height, x : x + width] = 255
    return coverage


def feathered(radius: int) -> np.ndarray:
    """A soft disk: full in the middle, nothing from 50 + radius on."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    distance = np.hypot(rows - HEIGHT / 2, columns - WIDTH / 2)
    return (255 * np.clip((50 + radius / 2 - distance) / radius, 0, 1)).round().astype(np.uint8)


SELECTIONS = {
    "one pixel": covered((120, 90, 1, 1)),
    "40 pixels": covered((120, 90, 40, 40)),
    "feathered": feathered(30),
    "two islands": covered((20, 20, 30, 30), (340, 230, 40, 40)),
}


def paint(scene: KritaScene, mode: str = "remove") -> np.ndarray:
    """Let what is selected grow together, and apply it; the layer as wide as the canvas."""
    docker = scene.docker
    docker.ask(
        "part('steps').setValue(2)" if mode == "remove" else f"choose('mode', {mode!r})\npart('steps').setValue(2)"
    )
    before = scene.seen()
    docker.generate("remove" if mode == "remove" else "generate")
    assert np.array_equal(scene.seen(), before), "nothing has changed yet"
    docker.click("apply")
    name = "Paintbridge"
    wait_for(lambda: docker.ask(f"node({name!r}) is not None") or docker.words("message"), "the layer")
    layer = scene.layer(name)
    after = scene.seen()
    assert not (before != after).any(axis=2)[layer[..., 3] == 0].any(), "elsewhere every bit is as it was"
    assert (before != after).any()
    docker.ask("act('edit_undo')")
    assert docker.ask(f"node({name!r}) is None")
    assert np.array_equal(scene.seen(), before), "one step back is all"
    docker.ask("act('edit_redo')")
    assert np.array_equal(scene.layer(name), layer)
    assert np.array_equal(scene.seen(), after), "and one step forth"
    return layer


def far_from(coverage: np.ndarray) -> np.ndarray:
    """Where nothing is selected within reach."""
    return cv2.dilate(coverage, np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)) == 0


@pytest.mark.parametrize("name", SELECTIONS)
def test_selections_of_every_kind(scene: KritaScene, name: str) -> None:
    coverage = SELECTIONS[name]
    scene.select(coverage)
    layer = paint(scene)
    assert scene.tree()[-1] == ["Paintbridge", []]
    assert (layer[..., 3][coverage == 255] == 255).all(), "what is selected is painted"
    assert not layer[..., 3][far_from(coverage)].any()
    assert scene.ask("document().activeNode().name()") == "Paintbridge"


@pytest.mark.parametrize("selected", [True, False])
def test_everything_or_nothing_selected_is_all_of_the_canvas(scene: KritaScene, selected: bool) -> None:
    if selected:
        scene.select(covered((0, 0, WIDTH, HEIGHT)))
    layer = paint(scene, "refine")
    assert (layer[..., 3] == 255).all()


def test_nothing_selected_is_nothing_to_remove(scene: KritaScene) -> None:
    """All of the canvas would become grey: nothing would be left to go by."""
    docker = scene.docker
    docker.click("remove")
    said = docker.message()
    assert "there is nothing to remove" in said
    assert "try again" in said
    assert not docker.ask("docker._jobs.under_way"), "nothing was begun"
    docker.click("dismiss")
    scene.select(covered((0, 0, 60, HEIGHT)))
    docker.generate("remove")
    assert docker.words("message") == ""


def test_to_remove_is_one_key_and_asks_for_nothing(scene: KritaScene, bridge: HostBridge) -> None:
    """A prompt that stands there from before would be painted where something was to go. What is left for the next
    picture is as it was.
    """
    docker = scene.docker
    scene.select(covered((120, 90, 40, 40)))
    wanted = cv2.cvtColor(scene.seen(), cv2.COLOR_BGRA2RGBA)
    docker.ask("part('prompt').setPlainText('a red balloon'); choose('mode', 'add'); part('strength').setValue(40)")
    docker.ask("window.setFocus()")
    docker.desktop.xdotool("key", "F8")
    wait_for(lambda: docker.results() == 1, "the picture")
    values = "[part('mode').currentData(), part('strength').value(), part('prompt').toPlainText()]"
    assert docker.ask(values) == ["add", 40, "a red balloon"]
    docker.click("apply")
    wait_for(lambda: docker.ask("node('Paintbridge') is not None"), "the layer")
    layer = cv2.cvtColor(scene.layer("Paintbridge"), cv2.COLOR_BGRA2RGBA)
    (made,) = reference(bridge, wanted, covered((120, 90, 40, 40)), kind="fill", mode="remove").layers
    expected = np.zeros_like(layer)
    expected[made.y :, made.x :][: made.picture.height, : made.picture.width] = made
    assert np.array_equal(layer, expected)


def test_a_selection_partly_off_the_canvas(scene: KritaScene) -> None:
    scene.select(np.full((80, 80), 255), x=-40, y=HEIGHT - 30)
    layer = paint(scene)
    assert (layer[HEIGHT - 30 :, :40, 3] == 255).all()
    assert not layer[..., 3][far_from(covered((0, HEIGHT - 30, 40, 30)))].any()


def test_the_active_layers_own_selection_counts_before_the_documents(scene: KritaScene) -> None:
    scene.select(covered((10, 10, 20, 20)))
    scene.ask(
        "own = krita.Selection()\n"
        "own.select(300, 200, 50, 40, 255)\n"
        "mask = document().createSelectionMask('own')\n"
        "mask.setSelection(own)\n"
        "below = document().rootNode().childNodes()[0]\n"
        "below.addChildNode(mask, None)\n"
        "document().setActiveNode(below)\n"
        "document().waitForDone()"
    )
    layer = paint(scene)
    assert (layer[200:240, 300:350, 3] == 255).all()
    assert not layer[:40, :40, 3].any()


def test_inside_a_group(scene: KritaScene) -> None:
    scene.ask("group = add('group', kind='grouplayer')\nfirst = add('first', group)\nadd('second', group)\nNone")
    scene.ask("document().setActiveNode(first)\ndocument().waitForDone()")
    scene.select(covered((120, 90, 40, 40)))
    layer = paint(scene)
    assert (layer[90:130, 120:160, 3] == 255).all()
    assert scene.tree()[-1] == ["group", [["first", []], ["Paintbridge", []], ["second", []]]]


def test_above_a_group_that_a_mask_rotates(scene: KritaScene) -> None:
    """Inside it the picture would be rotated too, away from what was selected."""
    scene.ask("group = add('group', kind='grouplayer')\ninner = add('inner', group, 'grouplayer')")
    scene.ask(
        "first = add('first', inner)\nfirst.setPixelData(QtCore.QByteArray(b'\\xff' * 40000), 100, 100, 100, 100)"
    )
    scene.ask(
        "mask = document().createTransformMask('rotated')\n"
        "group.addChildNode(mask, None)\n"
        "import re\n"
        "mask.fromXML(re.sub(r'(<aZ [^>]*value=\")[^\"]*', r'\\g<1>0.7', mask.toXML()))\n"
        "document().setActiveNode(first)\n"
        "document().refreshProjection()\n"
        "document().waitForDone()"
    )
    scene.recomputed = True  # the mask's edges depend on what was changed last
    assert (scene.seen()[200:220, 20:40, :3] == 255).all(), "rotated"
    scene.select(covered((120, 90, 40, 40)))
    layer = paint(scene)
    assert (layer[90:130, 120:160, 3] == 255).all()
    assert scene.tree()[-2:] == [["group", [["inner", [["first", []]]]]], ["Paintbridge", []]]


def test_an_area_drawn_with_the_lasso(docker: KritaDocker, photo: str, output: Path) -> None:
    """With the tool itself, by hand."""
    docker.open(f"opened({photo!r})")
    docker.ask("Krita.action('KisToolSelectOutline').trigger()")
    docker.ask(
        "canvas = window.findChild(QtWidgets.QMdiArea).activeSubWindow().findChild(QtWidgets.QAbstractScrollArea)\n"
        "middle = canvas.mapToGlobal(canvas.rect().center())\n"
        "None"
    )
    x, y = docker.ask("[middle.x(), middle.y()]")
    corners = [(x - 60, y - 50), (x + 70, y - 30), (x + 20, y + 60), (x - 60, y - 50)]
    docker.desktop.xdotool("mousemove", *corners[0], "mousedown", 1)
    for corner in corners[1:]:
        docker.desktop.xdotool("mousemove", *corner)
    docker.desktop.xdotool("mouseup", 1)
    wait_for(lambda: docker.ask("document().selection() and document().selection().width()"), "the selection")
    left, top, width, height = docker.ask(
        "[getattr(document().selection(), name)() for name in ('x', 'y', 'width', 'height')]"
    )
    selected = docker.pixels("selected()", (1080, 1920))
    assert 0 < (selected == 255).sum() < width * height * 0.75, "a triangle"
    before = docker.pixels("projection()", (1080, 1920, 4))
    docker.type("prompt", "a red balloon")
    docker.generate()
    docker.desktop.screenshot(output / "lasso.png")
    docker.apply()
    after = docker.pixels("projection()", (1080, 1920, 4))
    changed = (before != after).any(axis=2)
    assert changed[selected == 255].mean() > 0.9
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert left - REACH < columns[0] <= columns[-1] < left + width + REACH
    assert top - REACH < rows[0] <= rows[-1] < top + height + REACH
    docker.close_all()
